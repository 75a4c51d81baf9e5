"""The Kubernetes objects that an overlay builds to."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from functools import cache
from typing import Any

import yaml

from tests.support.declared import ROOT
from tests.support.programs import require_program

Manifest = dict[str, Any]
OVERLAYS = ("base", "overlays/dev")


@cache
def build(overlay: str) -> tuple[Manifest, ...]:
    """Return what ``kubectl kustomize`` makes of a folder of ``k8s/``, warnings being errors."""
    program = require_program("kubectl")
    folder = str(ROOT / "k8s" / overlay)
    result = subprocess.run(
        [program, "kustomize", folder], check=False, capture_output=True, text=True, timeout=60
    )
    if result.returncode or result.stderr:
        raise AssertionError(f"kubectl kustomize {folder}: {result.stderr}")
    return tuple(yaml.safe_load_all(result.stdout))


def of_kind(overlay: str, kind: str) -> dict[str, Manifest]:
    """Return the objects of one kind by name."""
    found = (manifest for manifest in build(overlay) if manifest["kind"] == kind)
    return {manifest["metadata"]["name"]: manifest for manifest in found}


def pods(overlay: str) -> dict[str, Manifest]:
    """Return the specification of every pod that is ever made, by the name of what makes it."""
    found = {}
    for manifest in build(overlay):
        spec = manifest.get("spec", {})
        if manifest["kind"] == "Deployment":
            found[manifest["metadata"]["name"]] = spec["template"]["spec"]
        elif manifest["kind"] == "CronJob":
            found[manifest["metadata"]["name"]] = spec["jobTemplate"]["spec"]["template"]["spec"]
    return found


def environment(overlay: str, pod: Manifest) -> Iterator[tuple[str, str | None]]:
    """Yield name and value of each variable of a pod; None where the value is a secret."""
    maps, secrets = of_kind(overlay, "ConfigMap"), of_kind(overlay, "Secret")
    for container in pod["containers"]:
        for source in container.get("envFrom", ()):
            if "configMapRef" in source:
                yield from maps[source["configMapRef"]["name"]]["data"].items()
            else:
                secret = secrets.get(source["secretRef"]["name"], {})
                yield from ((name, None) for name in secret.get("data") or {})
        for variable in container.get("env", ()):
            yield variable["name"], variable.get("value")
