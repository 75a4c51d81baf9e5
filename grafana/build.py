"""Writes the dashboards as JSON: `python -m grafana.build`.

A test holds what is committed equal to what this writes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from grafana import fleet, incident, lint, model, service

TARGET = Path(__file__).parents[1] / "k8s" / "components" / "grafana" / "dashboards"
PAGES = {
    "fleet": fleet.build,
    "model": model.build,
    "incident": incident.build,
    "service": service.build,
}
"""Each dashboard's builder, by the name of its file."""


def dashboards() -> dict[str, dict[str, Any]]:
    """Return each dashboard as Grafana reads it, by the name of its file."""
    return {name: json.loads(JSONEncoder().encode(build())) for name, build in PAGES.items()}


def text(page: dict[str, Any]) -> str:
    """Return a dashboard as it is committed."""
    return json.dumps(page, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> int:
    """Write all files, or say what is wrong and write none; returns the exit status."""
    pages = dashboards()
    found = [f"{name}: {fault}" for name, page in pages.items() for fault in lint.faults(page)]
    if found:
        sys.stderr.write("\n".join([*found, ""]))
        return 1
    TARGET.mkdir(parents=True, exist_ok=True)
    for name, page in pages.items():
        (TARGET / f"{name}.json").write_text(text(page), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
