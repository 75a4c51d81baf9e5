"""An overlay that was applied to a namespace, and the questions one asks of it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support.bucket import Bucket
from tests.support.cluster import Cluster, Object, until
from tests.support.images import TAG

SERVICE = "app.kubernetes.io/name=plumbline-service"
MONITOR = "app.kubernetes.io/name=plumbline-monitor"
IMAGES = (
    "plumbline-service",
    "plumbline-monitoring",
    "plumbline-training",
)

ROWS = "plumbline_monitoring_rows_total"
LEADER = "plumbline_monitoring_leader"
_RESTRICTED = ("pod-security.kubernetes.io/enforce=restricted", "plumbline/client=true")
_POST = """
import sys, urllib.request
kind = {"content-type": "application/json", "authorization": f"Bearer {sys.argv[2]}"}
request = urllib.request.Request(sys.argv[1], sys.stdin.buffer.read(), kind)
print(urllib.request.urlopen(request, timeout=20).read().decode())
"""
_LAST = "plumbline incidents show last --store $PLUMBLINE_STORE --json"
_READY_SECONDS = 300.0


def overlay(path: Path, images: str, folder: Path) -> str:
    """Return what to give ``kubectl apply -k``: the overlay, or one that names other images.

    Parameters
    ----------
    path
        A folder of ``k8s/overlays``, or one of ours that extends it.
    images
        Registry and prefix of images that the cluster pulls; "" for those the overlay names.
    folder
        Where the second kind is written.
    """
    if not images:
        return str(path)
    renamed = [{"name": each, "newName": f"{images}{each}", "newTag": TAG} for each in IMAGES]
    steps = Path(*[".."] * (len(folder.resolve().parts) - 1))
    content = {"resources": [str(steps / path.relative_to("/"))], "images": renamed}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(content))
    return str(folder)


@dataclass(frozen=True)
class Deployment:
    """One overlay in its namespace."""

    cluster: Cluster
    namespace: str
    path: str
    images: str = ""
    bucket: Bucket | None = None

    def image(self, kind: str) -> str:
        """Return the name of an image of ours, as this cluster pulls it."""
        return f"{self.images}plumbline-{kind}:{TAG}"

    def create_namespace(self) -> None:
        """Make the namespace, empty and with the strictest Pod Security."""
        self.cluster.kubectl("create", "namespace", self.namespace)
        self.cluster.kubectl("label", "namespace", self.namespace, *_RESTRICTED)

    def apply(self) -> str:
        """Apply it, and return what ``kubectl`` says it did."""
        return self.cluster.kubectl("apply", "-k", self.path)

    def wait_until_ready(self, seconds: float = _READY_SECONDS) -> float:
        """Wait until it answers and the monitor has seen an answer; returns how long that took."""
        began = time.monotonic()
        for what, reached in (
            ("the service to be ready", lambda: self.ready(SERVICE)),
            ("the monitor to be ready", lambda: self.ready(MONITOR)),
            ("an answer", lambda: self.ask() is not None),
            ("the monitor to have read it", lambda: self.watched_rows() > 0),
        ):
            left = seconds - (time.monotonic() - began)
            until(reached, left, what, lambda: self.cluster.describe(self.namespace))
        return time.monotonic() - began

    def ready(self, selector: str) -> list[str]:
        """Return the ready pods of one kind."""
        return self.cluster.ready_pods(self.namespace, selector)

    def leader(self, model: str) -> str:
        """Return the pod of the monitor that acts for a model; "" while none does."""
        for pod in self.ready(f"{MONITOR},app.kubernetes.io/instance={model}"):
            url = f"/api/v1/namespaces/{self.namespace}/pods/{pod}:3001/proxy/metrics"
            page = self.cluster.kubectl("get", "--raw", url, check=False, timeout=30)
            if f'{LEADER}{{model="{model}"}} 1.0' in page.splitlines():
                return pod
        return ""

    def retrains(self, incident: str = "") -> list[str]:
        """Return the names of the Jobs of an incident, or of all."""
        label = "plumbline/incident"
        jobs = self.cluster.items(
            "jobs", self.namespace, f"{label}={incident}" if incident else label
        )
        return [job["metadata"]["name"] for job in jobs]

    def newest_incident(self) -> Object | None:
        """Return the newest incident, as the command line says it in a monitor's pod."""
        (pod, *_) = self.ready(MONITOR)
        told = self.cluster.kubectl(
            *("exec", pod, "--", "sh", "-c", _LAST), namespace=self.namespace, check=False
        )
        return json.loads(told) if told else None

    def watched_rows(self, monitor: str = "plumbline-monitor") -> float:
        """Return how many rows of the log the monitor has read."""
        page = self.cluster.http(self.namespace, monitor, "/metrics")
        rows = [line for line in page.splitlines() if line.startswith(ROWS)]
        return sum(float(line.rsplit(" ", 1)[1]) for line in rows)

    def scraped(self) -> set[str]:
        """Return the scrape jobs of which Prometheus reaches every target."""
        samples = self.cluster.query(f'min by (job) (up{{namespace="{self.namespace}"}}) == 1')
        return {sample["metric"]["job"] for sample in samples}

    def models(self, service: str = "plumbline-service") -> list[Object]:
        """Return what the service says it serves; empty while it says nothing."""
        answer = self.cluster.http(self.namespace, service, "/models")
        return json.loads(answer)["models"] if answer else []

    def ask(self, service: str = "plumbline-service") -> Object | None:
        """Return the answer to one request, a window of zeros; None for any error."""
        models = self.models(service)
        if not models:
            return None
        steps, columns = models[0]["inputs"][0]["shape"]
        window = [[0.0] * columns] * steps
        return self.post(f"{service}:3000/predict", {"instances": [{"features": window}]})

    def post(self, url: str, body: Any, token: str = "none") -> Object | None:
        """Return what a Service answers to a body sent by a serving pod; None for any error."""
        (pod, *_) = self.ready(SERVICE)
        answer = self.cluster.kubectl(
            *("exec", "-i", pod, "--", "python", "-c", _POST, f"http://{url}", token),
            namespace=self.namespace,
            given=json.dumps(body),
            check=False,
            timeout=60,
        )
        return json.loads(answer) if answer else None
