"""The monitor as a process: the control loop in a thread, the web server in front of it."""

from __future__ import annotations

import signal
import socket
import sys
import threading
from importlib.util import find_spec

import structlog
import uvicorn

from plumbline.monitoring.errors import SettingsError
from plumbline.monitoring.metrics import Metrics
from plumbline.monitoring.monitor import Monitor
from plumbline.monitoring.page.web import Web
from plumbline.monitoring.repair.launchers import LAUNCHERS
from plumbline.monitoring.repair.launchers.base import Launcher
from plumbline.monitoring.repair.launchers.subprocess import SubprocessLauncher
from plumbline.monitoring.settings import MonitoringSettings
from plumbline.store.logs import configure_logging
from plumbline.store.observed import ObservedObjects

_STOP_SECONDS = 20.0

log = structlog.get_logger()


def run(settings: MonitoringSettings) -> None:
    """Watch until SIGTERM or Ctrl-C; jobs end with the monitor.

    Raises
    ------
    SettingsError
        If a setting names what does not exist, or the port is taken.
    StoreError
        If the store cannot be opened.
    """
    configure_logging()
    monitor = build_monitor(settings)
    listener = _listen(settings)
    config = uvicorn.Config(
        Web(monitor).app(), log_config=None, access_log=False, timeout_graceful_shutdown=3
    )
    server = uvicorn.Server(config)
    # The server takes signals while it runs and raises them again once it has stopped: what must
    # then still be put away is put away below.
    signal.signal(signal.SIGTERM, lambda *_: setattr(server, "should_exit", True))
    stop = threading.Event()
    loop = threading.Thread(target=monitor.run, args=(stop,), name="control-loop")
    loop.start()
    log.info("monitor_started", model=settings.model, port=listener.getsockname()[1])
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        log.info("interrupted")
    finally:
        stop.set()
        loop.join(_STOP_SECONDS)
        listener.close()


def build_monitor(settings: MonitoringSettings) -> Monitor:
    """Build a monitor with the launcher that the settings name."""
    metrics = Metrics(model=settings.model)
    return Monitor(
        settings,
        ObservedObjects(settings.store, metrics),
        metrics=metrics,
        launcher=build_launcher(settings),
        report_launcher=_beside(settings, "reports", "plumbline.monitoring.drift_report"),
        recompute_launcher=recompute_launcher(settings),
    )


def recompute_launcher(settings: MonitoringSettings) -> Launcher | None:
    """Return what computes logged inputs again; None, said once, without the training extra."""
    if find_spec("torch") is None:
        log.warning("recomputation_off", reason="torch is not there: plumbline[training] brings it")
        return None
    return _beside(settings, "recompute", "plumbline.training.recompute")


def _beside(settings: MonitoringSettings, folder: str, module: str) -> SubprocessLauncher:
    """Return what runs a module beside the control loop, behind everything else."""
    return SubprocessLauncher(
        SubprocessLauncher.Params(
            state=settings.state / folder,
            command=(sys.executable, "-P", "-m", module),
            threads=1,
            niceness=19,
        )
    )


def build_launcher(settings: MonitoringSettings) -> Launcher:
    """Build the launcher that the settings name; `SettingsError` if there is none."""
    if settings.launcher not in LAUNCHERS:
        names = ", ".join(sorted(LAUNCHERS))
        raise SettingsError(f"launcher: expected one of {names}, got {settings.launcher!r}")
    try:
        kind = LAUNCHERS[settings.launcher]
    except ImportError as error:
        extra = f"pip install 'plumbline[{settings.launcher}]'"
        raise SettingsError(f"launcher {settings.launcher}: {error}; {extra}") from error
    return kind.build(settings)


def _listen(settings: MonitoringSettings) -> socket.socket:
    """Take the port before anything is started."""
    try:
        return socket.create_server((settings.host, settings.port), backlog=128)
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        raise SettingsError(f"cannot listen on {where}: {error}; choose another --port") from error
