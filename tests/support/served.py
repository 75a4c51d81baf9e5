"""A service to test against: in this process without a socket, or a real one with workers."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any, TypeVar

import httpx
import numpy as np
import psutil

from plumbline.bundle.archive import Bundle
from plumbline.bundle.manifest import Manifest
from plumbline.service.settings import ServiceSettings
from plumbline.service.worker import Worker
from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry
from tests.support.bundles import small_bundle

ROOT = Path(__file__).parents[2]
MODEL = "eurusd-1h"
LAUNCH = "import typer; from plumbline.cli.serve import serve; typer.run(serve)"

_LOW, _HIGH = 20_000, 30_000
_FIRST = _LOW + os.getpid() * 997 % (_HIGH - _LOW)
_PORTS = cycle([*range(_FIRST, _HIGH), *range(_LOW, _FIRST)])

T = TypeVar("T")


def promoted(
    url: str,
    model: str = MODEL,
    *,
    seed: int = 0,
    passed: bool = True,
    made: tuple[Manifest, dict[str, bytes]] | None = None,
) -> Bundle:
    """Write a bundle to a store, the small one by default, and make it champion."""
    registry = ModelRegistry(Objects(url), model)
    bundle = registry.write(*(made or small_bundle(model, seed=seed, passed=passed)))
    registry.promote(bundle.version, actor="test", reason="test", force=True)
    return bundle


def window(seed: int = 0, *, steps: int = 3, features: int = 4) -> list[list[float]]:
    """Return a window for the small bundle."""
    values: list[list[float]] = np.random.default_rng(seed).normal(size=(steps, features)).tolist()
    return values


def body(*seeds: int, **fields: Any) -> dict[str, Any]:
    """Return a request with one instance per seed; ``fields`` go to each instance."""
    return {"instances": [{"features": window(seed), **fields} for seed in seeds or (0,)]}


def ask(
    settings: ServiceSettings, scenario: Callable[[httpx.AsyncClient, Worker], Awaitable[T]]
) -> T:
    """Run a scenario against a worker in this process."""

    async def run() -> T:
        worker = Worker(settings)
        app = await worker.start()
        transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
        try:
            async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
                return await scenario(client, worker)
        finally:
            await worker.stop()

    return asyncio.run(run())


@dataclass(frozen=True)
class Served:
    """A real service with its processes."""

    process: subprocess.Popen[bytes]
    url: str
    admin_url: str
    store: str
    state: Path
    output: Path

    def client(self) -> httpx.Client:
        """Return a client with connections of its own."""
        return httpx.Client(base_url=self.url, timeout=10)

    def admin(self) -> httpx.Client:
        """Return a client of the admin API that knows the token."""
        token = (self.state / "admin-token").read_text().strip()
        return httpx.Client(
            base_url=self.admin_url, timeout=10, headers={"authorization": f"Bearer {token}"}
        )

    def workers(self) -> list[psutil.Process]:
        """Return the worker processes."""
        below = psutil.Process(self.process.pid).children(recursive=True)
        return [p for p in below if _is_worker(p)]

    def get(self, path: str) -> httpx.Response:
        """Ask over a fresh connection, which any worker may take."""
        return httpx.get(self.url + path, verify=False, timeout=10)

    def wait_until(self, true: Callable[[], bool], seconds: float = 30) -> None:
        """Wait for something to become true."""
        deadline = time.monotonic() + seconds
        while not true():
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {seconds} s; output:\n{self.output.read_text()}")
            time.sleep(0.05)

    def ready(self) -> bool:
        """Whether the service wants traffic."""
        try:
            return self.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False


def _is_worker(process: psutil.Process) -> bool:
    try:
        return "_bentoml_impl.worker.service" in process.cmdline()
    except psutil.Error:  # it ended meanwhile, or nobody has waited for it yet
        return False


@contextmanager
def serving(
    folder: Path,
    *,
    models: tuple[str, ...] = (MODEL,),
    workers: int = 2,
    wait: bool = True,
    store: str | None = None,
    ports: Sequence[int] | None = None,
    **environment: str,
) -> Iterator[Served]:
    """Run ``plumbline serve``; whatever it started is gone at the end.

    Parameters
    ----------
    store
        URL; by default a folder of its own.
    ports
        Of the API and its administration; by default free ones.
    """
    port, admin_port = ports or free_ports(2)
    store = store or (folder / "store").as_uri()
    output = folder / "output.txt"
    options = {
        "--store": store,
        "--port": str(port),
        "--admin-port": str(admin_port),
        "--workers": str(workers),
        "--state": str(folder / "state"),
    }
    command = [sys.executable, "-c", LAUNCH, *(part for item in options.items() for part in item)]
    command += [part for name in models for part in ("--model", name)]
    with output.open("wb") as file:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "PLUMBLINE_SERVICE_DRAIN_SECONDS": "0.3", **environment},
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    served = Served(
        process,
        f"http://127.0.0.1:{port}",
        f"http://127.0.0.1:{admin_port}",
        store,
        folder / "state",
        output,
    )
    try:
        if wait:
            served.wait_until(served.ready)
        yield served
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(40)


def free_ports(count: int) -> list[int]:
    """Return ports nobody listens on now, each once.

    They lie below those that the kernel gives to connections, and processes of tests begin far
    from each other: nobody else takes a port until its server listens.
    """
    found: list[int] = []
    while len(found) < count:
        port = next(_PORTS)
        with socket.socket() as one, suppress(OSError):
            one.bind(("127.0.0.1", port))
            found.append(port)
    return found
