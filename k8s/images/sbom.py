"""Writes down what is in the image it runs in: ``sbom.py NAME VERSION``.

CycloneDX 1.5 as JSON, in ``/usr/share/plumbline/sbom.cdx.json``: every distribution of the
interpreter with its licence, every Debian package.

References
----------
OWASP (2023), "CycloneDX Specification", version 1.5.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

SBOM = Path("/usr/share/plumbline/sbom.cdx.json")


def python_components() -> Iterator[dict[str, Any]]:
    """Yield a component per installed distribution."""
    for found in distributions():
        name = re.sub(r"[-_.]+", "-", found.metadata["Name"]).lower()
        yield {
            "type": "library",
            "bom-ref": f"pkg:pypi/{name}@{found.version}",
            "name": name,
            "version": found.version,
            "purl": f"pkg:pypi/{name}@{found.version}",
            **_licences(found),
        }


def debian_components(status: Path) -> Iterator[dict[str, Any]]:
    """Yield a component per installed package of a ``/var/lib/dpkg/status``."""
    for block in status.read_text().split("\n\n"):
        fields = dict(re.findall(r"^(Package|Version|Status|Architecture): (.+)$", block, re.M))
        if not fields.get("Status", "").endswith(" installed"):
            continue
        reference = "pkg:deb/debian/{Package}@{Version}?arch={Architecture}".format_map(fields)
        yield {
            "type": "library",
            "bom-ref": reference,
            "name": fields["Package"],
            "version": fields["Version"],
            "purl": reference,
        }


def _licences(found: Distribution) -> dict[str, Any]:
    expression = found.metadata.get("License-Expression")
    if expression:
        return {"licenses": [{"expression": expression}]}
    classes = [
        entry.rsplit(" :: ", 1)[-1]
        for entry in found.metadata.get_all("Classifier") or ()
        if entry.startswith("License :: ")
    ]
    return {"licenses": [{"license": {"name": name}} for name in classes]} if classes else {}


def main() -> None:
    """Write the document."""
    name, version = sys.argv[1:]
    components = [*python_components(), *debian_components(Path("/var/lib/dpkg/status"))]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": name, "version": version}},
        "components": sorted(components, key=lambda part: part["bom-ref"]),
    }
    SBOM.parent.mkdir(parents=True)
    SBOM.write_text(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
