"""A monitor on a real store, with its status page on a free port."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import uvicorn

from plumbline.monitoring.monitor import Monitor
from plumbline.monitoring.page.web import Web
from plumbline.monitoring.repair.launchers.subprocess import SubprocessLauncher
from tests.support.control import Control


def build(control: Control, **settings: object) -> Monitor:
    """Return a monitor whose retrains are quick ones, and which computes nothing again unasked."""
    quick = {"service_url": "", "poll_seconds": 0.05, "bars": ""}
    loaded = control.loaded(**{**quick, **settings})
    return Monitor(
        loaded,
        control.objects,
        launcher=control.launcher(loaded),
        report_launcher=_running(loaded.state / "reports", "plumbline.monitoring.drift_report"),
        recompute_launcher=_running(loaded.state / "recompute", "plumbline.training.recompute"),
    )


def _running(state: Path, module: str) -> SubprocessLauncher:
    """Return a launcher of a module."""
    command = (sys.executable, "-P", "-m", module)
    return SubprocessLauncher(SubprocessLauncher.Params(state=state, command=command))


@contextmanager
def stepping(monitor: Monitor) -> Iterator[Monitor]:
    """Run a monitor's control loop for a while."""
    stop = threading.Event()
    loop = threading.Thread(target=monitor.run, args=(stop,))
    loop.start()
    try:
        yield monitor
    finally:
        stop.set()
        loop.join()


@contextmanager
def published(monitor: Monitor) -> Iterator[str]:
    """Serve a monitor's page on a free port; yields its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(Web(monitor).app(), log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        until(lambda: httpx.get(f"{url}/livez").status_code == httpx.codes.OK)
        yield url
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def until(true: Callable[[], bool], *, seconds: float = 30.0) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
