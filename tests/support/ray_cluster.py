"""A real Ray of two nodes, in a network of its own: its ports listen on every address they find.

A relay on this machine's loopback leads to its job server.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.support.declared import ROOT
from tests.support.programs import go_without, require_program
from tests.support.served import free_ports

RAY = "PLUMBLINE_RAY"
"""Names the program `ray` where it is not on the path."""

HEAD, FAR = "127.0.0.1", "127.0.0.2"
TOKEN = "a-token-of-the-cluster"  # it opens nothing but this

_START_SECONDS = 90.0
_STORE_BYTES = 80_000_000
_CPUS = 2


@dataclass(frozen=True)
class RayCluster:
    """A cluster, and how to reach its job server.

    Attributes
    ----------
    relay
        The process between us and it.
    inside
        The process above all that run in its network.
    """

    address: str
    relay: subprocess.Popen[bytes]
    inside: subprocess.Popen[bytes]

    def jobs(self) -> dict[str, dict[str, Any]]:
        """Return all jobs that were submitted, by submission id."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        answer = httpx.get(f"{self.address}/api/jobs/", headers=headers, timeout=10)
        answer.raise_for_status()
        return {each["submission_id"]: each for each in answer.json() if each["submission_id"]}

    def lose_node(self) -> None:
        """Kill what answers for the second node, which has the resource ``far``."""
        below = psutil.Process(self.inside.pid).children(recursive=True)
        (raylet,) = (each for each in below if each.name() == "raylet" and FAR in _host_of(each))
        raylet.kill()

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Let the job server take connections and answer none."""
        os.kill(self.relay.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.relay.pid, signal.SIGCONT)


@contextmanager
def ray_cluster() -> Iterator[RayCluster]:
    """Start one, and end it; without the programs the test is skipped."""
    ray = os.environ.get(RAY) or require_program("ray")
    unshare, ip = require_program("unshare"), require_program("ip")
    # Its sockets lie in this folder, and their paths must be short.
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        door, (port,) = home / "door", free_ports(1)
        apart = [unshare, "--net", "--pid", "--fork", "--mount-proc", "--kill-child"]
        if os.geteuid():
            apart += ["--user", "--map-root-user"]
        if subprocess.run([*apart, ip, "link", "set", "lo", "up"], check=False).returncode:
            go_without("no network namespace can be made here", dispensable=True)
        inside = _inside(ray, ip, home, door)
        with _process([*apart, "sh", "-c", inside], home / "ray.log") as top:
            command = _relay(f"127.0.0.1:{port}", str(door))
            with _process(command, home / "relay.log") as relay:
                cluster = RayCluster(f"http://127.0.0.1:{port}", relay, top)
                _await(cluster, home / "ray.log")
                yield cluster


def _inside(ray: str, ip: str, home: Path, door: Path) -> str:
    """Return what the shell inside runs."""
    common = [f"--object-store-memory={_STORE_BYTES}", "--disable-usage-stats", "--block"]
    head = [ray, "start", "--head", f"--node-ip-address={HEAD}", "--port=6379", *common]
    head += ["--dashboard-host=127.0.0.1", "--dashboard-port=8265", f"--temp-dir={home / 'r'}"]
    far = [ray, "start", f"--node-ip-address={FAR}", f"--address={HEAD}:6379", *common]
    far += ["--num-cpus=1", "--resources", json.dumps({"far": 1})]
    far += ["--dashboard-agent-listen-port=52366"]  # its logs are read there; the head has 52365
    up = home / "r" / "session_latest" / "sockets" / "raylet"
    return f"""
        {ip} link set lo up
        {shlex.join(_relay(str(door), "127.0.0.1:8265"))} &
        unset PYTHONPATH; export RAY_AUTH_MODE=token RAY_AUTH_TOKEN={TOKEN}; cd /
        (until [ -e {up} ]; do sleep 0.5; done; exec {shlex.join(far)}) &
        exec {shlex.join([*head, f"--num-cpus={_CPUS}"])}
    """


def _host_of(raylet: psutil.Process) -> str:
    return next(each for each in raylet.cmdline() if each.startswith("--node_ip_address"))


def _relay(source: str, target: str) -> list[str]:
    return [sys.executable, "-m", "tests.support.relay", source, target]


@contextmanager
def _process(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as said:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, cwd=ROOT
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _await(cluster: RayCluster, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        with suppress(httpx.HTTPError):
            cluster.jobs()
            return
        time.sleep(0.5)
    raise AssertionError(log.read_text()[-4_000:])
