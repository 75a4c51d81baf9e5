"""A bucket outside of the cluster, on the machine of the tests, whose endpoint can go away."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from tests.support.cluster import Cluster, Object, until

STORE = "s3://plumbline"
DIRECT = "http://bucket:9001"
"""Where a test's own pods reach it whatever happens to the endpoint of everybody else."""

_KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
_PORTS = {"s3": 9000, "direct": 9001}


def bucket_environment() -> dict[str, str]:
    """Return what a test's own pods need to open the store."""
    where = {"AWS_ENDPOINT": DIRECT, "AWS_REGION": "us-east-1", "AWS_ALLOW_HTTP": "true"}
    return _KEYS | where


@dataclass(frozen=True)
class Bucket:
    """An S3 server, and the gate in front of it through which the cluster's pods go."""

    gate: subprocess.Popen[bytes]

    @contextmanager
    def away(self) -> Iterator[None]:
        """Let nothing through: connections stay open and no answer comes, as behind a dead link."""
        os.killpg(self.gate.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self.gate.pid, signal.SIGCONT)


@contextmanager
def bucket(cluster: Cluster, namespace: str) -> Iterator[Bucket]:
    """Start one, as the Service ``bucket`` of a namespace."""
    address = _node_address(cluster)
    listen = f"TCP-LISTEN:{_PORTS['s3']},bind={address},fork,reuseaddr"
    commands = (
        [sys.executable, "-m", "moto.server", "--host", address, "--port", str(_PORTS["direct"])],
        ["socat", listen, f"TCP:{address}:{_PORTS['direct']}"],
    )
    null = subprocess.DEVNULL
    started = [
        subprocess.Popen(each, stdout=null, stderr=null, start_new_session=True)
        for each in commands
    ]
    try:
        until(lambda: _made(f"http://{address}:{_PORTS['s3']}/plumbline"), 60, "the bucket")
        for manifest in _service(address):
            cluster.kubectl("apply", "-f", "-", namespace=namespace, given=json.dumps(manifest))
        yield Bucket(started[-1])
    finally:
        for process in started:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _node_address(cluster: Cluster) -> str:
    """Return the address of the node that shares this machine's network."""
    node = cluster.get("node", "node-1")
    return next(a["address"] for a in node["status"]["addresses"] if a["type"] == "InternalIP")


def _made(url: str) -> bool:
    try:
        return httpx.put(url, timeout=5).is_success
    except httpx.HTTPError:
        time.sleep(0.2)
        return False


def _service(address: str) -> list[Object]:
    ports = [{"name": name, "port": port} for name, port in _PORTS.items()]
    labels = {"kubernetes.io/service-name": "bucket"}
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "bucket"},
            "spec": {"ports": ports},
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": "bucket", "labels": labels},
            "addressType": "IPv4",
            "ports": ports,
            "endpoints": [{"addresses": [address]}],
        },
    ]
