"""``plumbline serve``: the parent of all, from start to a clean end.

::

    plumbline serve ─┬─ bentoml serve ─┬─ worker      answers, appends to its spool
    (this process)   │                 └─ worker
                     ├─ shipping thread               spools → store
                     └─ admin thread                  promote, roll back

The end: readiness goes down, a moment for load balancers to notice, the workers finish what they
have, the rest of the spools is shipped.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from http.client import HTTPException
from types import FrameType
from typing import TYPE_CHECKING
from urllib.request import urlopen

import structlog
import uvicorn

from plumbline.service.admin import build_admin, read_token
from plumbline.service.http import BodyLimit
from plumbline.service.process import ProcessTree
from plumbline.service.settings import PREFIX, ServiceSettings
from plumbline.store.disk import FileLock
from plumbline.store.objects import Objects
from plumbline.store.observed import ObservedObjects

if TYPE_CHECKING:
    from plumbline.service.metrics import Metrics
    from plumbline.service.shipping import Shipping

_START_SECONDS = 120.0
_STOP_SECONDS = 30.0
_WATCH_SECONDS = 0.2

log = structlog.get_logger()


class ServeError(Exception):
    """The service cannot start, or ended by itself; the message says what to do."""


def serve(settings: ServiceSettings) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises
    ------
    ServeError
        A port is taken, another server uses the state folder, or BentoML ended by itself.
    StoreError
        The store cannot be opened.
    """
    settings.state.mkdir(parents=True, exist_ok=True)
    stopping = _stopped_by_signals()
    try:
        lock = _own_state(settings, stopping)
    except _StoppedEarlyError:
        log.info("stopped_before_start")
        return
    try:
        _refuse_taken_ports(settings)
        objects = Objects(settings.store)
        with suppress(FileNotFoundError):
            settings.drain_flag.unlink()
        Server(settings, objects, stopping).run()
    finally:
        lock.release()


class _StoppedEarlyError(Exception):
    """A signal came before the first worker was up."""


def _stopped_by_signals() -> threading.Event:
    """Return what SIGINT and SIGTERM set from now on."""
    stopping = threading.Event()

    def stop(number: int, _: FrameType | None) -> None:
        if stopping.is_set():
            log.warning("stopping_already", signal=signal.Signals(number).name)
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    return stopping


def _own_state(settings: ServiceSettings, stopping: threading.Event) -> FileLock:
    """Lock the state folder; a server that still ends is waited for as long as is set."""
    lock = FileLock(settings.state / "server.lock")
    deadline, told = time.monotonic() + settings.state_seconds, False
    while not lock.acquire():
        if time.monotonic() >= deadline:
            raise ServeError(
                f"another server uses the state folder {settings.state}: stop it, or choose "
                f"another folder with --state"
            )
        if not told:
            log.warning("state_awaited", state=str(settings.state), seconds=settings.state_seconds)
            told = True
        if stopping.wait(_WATCH_SECONDS):
            raise _StoppedEarlyError
    return lock


class Server:
    """The processes and threads of one running service."""

    def __init__(
        self, settings: ServiceSettings, objects: Objects, stopping: threading.Event
    ) -> None:
        self._settings = settings
        self._objects = objects
        self._stopping = stopping

    def run(self) -> None:
        """Start everything, wait for the end, take everything down."""
        settings = self._settings
        settings.bentoml_home.mkdir(parents=True, exist_ok=True)
        tree = ProcessTree(_command(settings), child_environment(settings), settings.bentoml_home)
        admin = self._start_admin()
        shipping = None
        try:
            self._wait_until_alive(tree)
            metrics = self._open_metrics()
            shipping = self._start_shipping(metrics)
            log.info(
                "service_started",
                url=f"http://{_bracket(settings.host)}:{settings.port}",
                admin=f"http://{_bracket(settings.admin_host)}:{settings.admin_port}",
                models=settings.models,
                workers=settings.workers,
                log=settings.log_mode,
            )
            self._watch(tree, metrics)
            log.info("draining_started", seconds=settings.drain_seconds)
            settings.drain_flag.touch()
            time.sleep(settings.drain_seconds)
        except _StoppedEarlyError:
            log.info("stopped_before_start")
        finally:
            admin.should_exit = True
            tree.stop(_STOP_SECONDS)
            if shipping is not None:
                shipping.stop()
            log.info("service_stopped")

    def _watch(self, tree: ProcessTree, metrics: Metrics) -> None:
        restarts = 0
        while not self._stopping.wait(_WATCH_SECONDS):
            code = tree.poll()
            new = tree.workers_seen - self._settings.workers - restarts
            if new > 0:
                metrics.process.count_restarts(new)
                restarts += new
            if code is not None:
                raise ServeError(f"bentoml ended by itself with code {code}; its output says why")

    def _wait_until_alive(self, tree: ProcessTree) -> None:
        """Wait for the first worker."""
        address = "127.0.0.1" if self._settings.host == "0.0.0.0" else self._settings.host  # noqa: S104 -- compared, not bound
        url = f"http://{_bracket(address)}:{self._settings.port}/livez"
        deadline = time.monotonic() + _START_SECONDS
        while not self._stopping.wait(_WATCH_SECONDS):
            code = tree.poll()
            if code is not None:
                raise ServeError(f"bentoml did not start (code {code}); its output says why")
            if time.monotonic() > deadline:
                raise ServeError(f"no worker answered at {url} within {_START_SECONDS:g} s")
            with suppress(OSError, HTTPException), urlopen(url, timeout=2):
                return
        raise _StoppedEarlyError

    def _start_admin(self) -> uvicorn.Server:
        settings = self._settings
        given = settings.admin_token
        token = given.get_secret_value() if given else read_token(settings.state)
        limit = BodyLimit(settings.body_limit_bytes, settings.body_timeout_seconds)
        server = uvicorn.Server(
            uvicorn.Config(
                build_admin(self._objects, token, limit),
                host=settings.admin_host,
                port=settings.admin_port,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
            )
        )
        threading.Thread(target=server.run, name="admin", daemon=True).start()
        return server

    def _open_metrics(self) -> Metrics:
        """Return the parent's metrics; they join the workers', whose folder exists only now."""
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(self._settings.metrics_folder)
        from plumbline.service.metrics import Metrics  # noqa: PLC0415 -- prometheus_client reads its folder on import

        return Metrics()

    def _start_shipping(self, metrics: Metrics) -> Shipping:
        """Ship from now on, until the returned thread is stopped."""
        from plumbline.service.shipping import Shipping  # noqa: PLC0415 -- imports metrics

        shipping = Shipping(
            self._settings.spool_folder,
            ObservedObjects(self._settings.store, metrics.store),
            metrics,
            self._settings.ship_seconds,
        )
        shipping.start()
        return shipping


def child_environment(settings: ServiceSettings) -> dict[str, str]:
    """Return the environment of BentoML and its workers.

    BentoML's home is ours alone, since it holds the metrics files and is wiped at each start. No
    usage tracking; GPUs are taken as they are given. Without ``BENTOML_CONTAINERIZED`` dead workers
    are respawned in containers too. The admin token stays here.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(PREFIX)
        and name not in ("BENTOML_CONTAINERIZED", "BENTOML_CONFIG", "BENTOML_CONFIG_OPTIONS")
    }
    return {
        **inherited,
        **settings.environment(),
        "PYTHONSAFEPATH": "1",
        "BENTOML_HOME": str(settings.bentoml_home),
        "BENTOML_DO_NOT_TRACK": "True",
        "BENTOML_DISABLE_GPU_ALLOCATION": "1",
        "OMP_NUM_THREADS": "1",
    }


def _command(settings: ServiceSettings) -> list[str]:
    return [
        *(sys.executable, "-P", "-m", "bentoml", "serve", "plumbline.service.app:plumbline"),
        *("--working-dir", str(settings.bentoml_home)),
        *("--host", settings.host, "--port", str(settings.port)),
        *("--timeout-keep-alive", str(settings.keep_alive_seconds)),
        *("--timeout-graceful-shutdown", str(int(_STOP_SECONDS / 2))),
    ]


def _refuse_taken_ports(settings: ServiceSettings) -> None:
    for host, port, option in (
        (settings.host, settings.port, "--port"),
        (settings.admin_host, settings.admin_port, "--admin-port"),
    ):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                raise ServeError(
                    f"cannot listen on {host}:{port}: {error.strerror}; "
                    f"choose another port with {option}"
                ) from error


def _bracket(address: str) -> str:
    return f"[{address}]" if ":" in address else address
