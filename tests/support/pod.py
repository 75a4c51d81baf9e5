"""A pod that a test sends into a cluster: a client, which is told what to run and prints JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.cluster import Cluster, Object, until
from tests.support.deployment import Deployment

_LOAD = Path(__file__).parents[1] / "cluster" / "load.py"


def client(
    cluster: Cluster,
    namespace: str,
    name: str,
    script: str,
    *,
    image: str,
    node: str | None = None,
    claim: str | None = None,
    environment: dict[str, str] | None = None,
) -> None:
    """Start a pod that runs a shell script in the training image, with ``/scripts/load.py`` beside.

    It meets Pod Security *restricted*, as everything of ours, and is no part of what is tested: its
    labels are none of plumbline's, so no Service or policy takes it for one.

    Parameters
    ----------
    node
        Where it must run: the load must outlive the node that is broken.
    claim
        A volume with the store, mounted at ``/store``.
    """
    cluster.kubectl("delete", "pod", name, "--ignore-not-found", "--now", namespace=namespace)
    scripts: Object = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"{name}-scripts"},
        "data": {"run.sh": script, "load.py": _LOAD.read_text()},
    }
    spec = _specification(name, image, environment or {}, claim)
    if node:
        spec["nodeName"] = node
    pod: Object = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"test": name, "plumbline/client": "true"}},
        "spec": spec,
    }
    for manifest in (scripts, pod):
        cluster.kubectl("apply", "-f", "-", namespace=namespace, given=json.dumps(manifest))


def result(cluster: Cluster, namespace: str, name: str, seconds: float) -> dict[str, Any]:
    """Wait for a client to end and return the JSON object it printed last."""

    def ended() -> str:
        pod = cluster.get("pod", name, namespace=namespace)
        phase: str = pod["status"].get("phase", "")
        return phase if phase in {"Succeeded", "Failed"} else ""

    until(ended, seconds, f"pod {name}", lambda: cluster.logs(namespace, name, lines=40))
    lines = cluster.logs(namespace, name).splitlines()
    documents = [line for line in lines if line.startswith("{") and line.endswith("}")]
    assert documents, "\n".join(lines[-40:])
    found: dict[str, Any] = json.loads(documents[-1])
    return found


def end_load(cluster: Cluster, namespace: str, name: str) -> None:
    """Tell a load that it was enough; its `result` is then not far."""
    cluster.kubectl("exec", name, "--", "sh", "-c", "kill -TERM 1", namespace=namespace)


def _specification(name: str, image: str, environment: dict[str, str], claim: str | None) -> Object:
    writable = {"tmp": "/tmp", "home": "/home/plumbline", "state": "/var/lib/plumbline"}
    volumes: list[Object] = [{"name": each, "emptyDir": {}} for each in writable]
    mounts = [{"name": each, "mountPath": path} for each, path in writable.items()]
    volumes.append({"name": "scripts", "configMap": {"name": f"{name}-scripts"}})
    mounts.append({"name": "scripts", "mountPath": "/scripts"})
    if claim:
        volumes.append({"name": "store", "persistentVolumeClaim": {"claimName": claim}})
        mounts.append({"name": "store", "mountPath": "/store"})
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "runAsGroup": 10001,
            "fsGroup": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumes": volumes,
        "containers": [
            {
                "name": "client",
                "image": image,
                "command": ["sh", "/scripts/run.sh"],
                "env": [{"name": key, "value": value} for key, value in environment.items()],
                "volumeMounts": mounts,
                "resources": {"requests": {"cpu": "50m", "memory": "256Mi"}},
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
            }
        ],
    }


def load(
    deployment: Deployment,
    name: str,
    *,
    requests: int,
    seconds: float,
    node: str | None = None,
    workers: int = 8,
    rate: float | None = None,
    model: str = "eurusd-1h",
    service: str = "plumbline-service",
    store: str = "file:///store",
    environment: dict[str, str] | None = None,
) -> None:
    """Start a bounded load on a service; its `result` has the figures of ``load.py``."""
    options = [
        f"--url http://{service}.{deployment.namespace}.svc:3000 --replay /tmp/replay.npz",
        f"--requests {requests} --seconds {seconds} --workers {workers}",
        f"--log {model} --store {store}",
    ]
    if rate:
        options.append(f"--rate {rate}")
    client(
        deployment.cluster,
        deployment.namespace,
        name,
        "set -e\nplumbline replay-data --config eurusd-1h --out /tmp/replay.npz >/dev/null\n"
        f"exec python /scripts/load.py {' '.join(options)}\n",
        image=deployment.image("training"),
        node=node,
        claim="plumbline-store" if store.startswith("file:") else None,
        environment=environment,
    )
