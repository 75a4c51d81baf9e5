"""The Kubernetes objects that an overlay builds to."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from tests.support.declared import ROOT
from tests.support.programs import require_program

Manifest = dict[str, Any]
OVERLAYS = ("base", "overlays/dev", "overlays/prod", "overlays/gpu", "overlays/two-models")
MODEL = "app.kubernetes.io/instance"
NAME = "app.kubernetes.io/name"
WORKLOADS = ("Deployment", "StatefulSet", "Job")


@dataclass(frozen=True)
class Pod:
    """A pod that is made sooner or later.

    Attributes
    ----------
    owner
        What makes it: the name of a Deployment, StatefulSet, Job or CronJob.
    labels, spec
        Of the pod itself.
    claims
        Names of volumes that come from claims of its own.
    """

    owner: str
    labels: dict[str, str]
    spec: Manifest
    claims: tuple[str, ...] = ()

    @property
    def role(self) -> str:
        """``plumbline-service``, ``plumbline-monitor`` or ``plumbline-train``."""
        return self.labels[NAME]

    @property
    def container(self) -> Manifest:
        """The one container it has."""
        (container,) = self.spec["containers"]
        return container


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
    return tuple(yaml.load_all(result.stdout, yaml.CSafeLoader))


def of_kind(overlay: str, *kinds: str) -> dict[str, Manifest]:
    """Return the objects of some kinds by name."""
    found = (manifest for manifest in build(overlay) if manifest["kind"] in kinds)
    return {manifest["metadata"]["name"]: manifest for manifest in found}


def pods(overlay: str) -> list[Pod]:
    """Return every pod that is ever made."""
    found = []
    for manifest in build(overlay):
        spec = manifest.get("spec", {})
        if manifest["kind"] == "CronJob":
            spec = spec["jobTemplate"]["spec"]
        elif manifest["kind"] not in WORKLOADS:
            continue
        claims = (claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates", ()))
        labels = spec["template"]["metadata"]["labels"]
        found.append(
            Pod(manifest["metadata"]["name"], labels, spec["template"]["spec"], tuple(claims))
        )
    return found


def the_pod(overlay: str, owner: str) -> Pod:
    """Return the pod that one object makes."""
    (found,) = (pod for pod in pods(overlay) if pod.owner == owner)
    return found


def environment(overlay: str, pod: Pod) -> Iterator[tuple[str, str | None]]:
    """Yield name and value of each variable of a pod; None where the value is a secret."""
    maps, secrets = of_kind(overlay, "ConfigMap"), of_kind(overlay, "Secret")
    values: dict[str, str] = {}
    for source in pod.container.get("envFrom", ()):
        if "configMapRef" in source:
            yield from maps[source["configMapRef"]["name"]]["data"].items()
        else:
            secret = secrets.get(source["secretRef"]["name"], {})
            yield from ((name, None) for name in secret.get("data") or {})
    for variable in pod.container.get("env", ()):
        value = _value(variable, pod, maps)
        for name, known in values.items():
            value = value and value.replace(f"$({name})", known)
        values[variable["name"]] = value or ""
        yield variable["name"], value


def _value(variable: Manifest, pod: Pod, maps: dict[str, Manifest]) -> str | None:
    if "value" in variable:
        return str(variable["value"])
    source = variable["valueFrom"]
    if "fieldRef" in source:
        return pod.labels[source["fieldRef"]["fieldPath"].split("'")[1]]
    if "configMapKeyRef" in source:
        asked = source["configMapKeyRef"]
        return str(maps[asked["name"]]["data"][asked["key"]])
    return None
