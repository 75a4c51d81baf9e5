"""`plumbline up`: a whole system on one machine, and the demonstration."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from plumbline.bundle.suggestion import suggestion
from plumbline.cli.children import Child, ChildError
from plumbline.cli.output import fail

LEASE_SECONDS = 20.0
READY_SECONDS = 120.0


@dataclass(frozen=True)
class Layout:
    """Where `plumbline up` keeps things, and on which ports."""

    state: Path
    model: str
    config: str
    port: int
    monitor_port: int
    admin_port: int
    workers: int

    @property
    def store_url(self) -> str:
        """The store lies in the state folder."""
        return (self.state / "store").as_uri()

    @property
    def train_config(self) -> Path:
        """The configuration of the first training and of every retrain; edit it at will."""
        return self.state / "train.toml"

    @property
    def replay(self) -> Path:
        """Held-out bars for the drills."""
        return self.state / "replay.npz"

    def url(self, port: int) -> str:
        """Return a local URL."""
        return f"http://127.0.0.1:{port}"


def up(
    demo: Annotated[bool, typer.Option("--demo", help="Replay held-out bars and drill.")] = False,
    once: Annotated[bool, typer.Option("--once", help="With --demo: end when it is over.")] = False,
    state: Annotated[Path, typer.Option(help="Folder for everything.")] = Path(".state"),
    model: Annotated[str, typer.Option(help="Name of the model.")] = "eurusd-1h",
    config: Annotated[
        str, typer.Option(help="Training configuration: name or file.")
    ] = "eurusd-1h",
    port: Annotated[int, typer.Option(help="Of the service.")] = 3000,
    monitor_port: Annotated[int, typer.Option(help="Of the monitor and its status page.")] = 3001,
    admin_port: Annotated[int, typer.Option(help="For promotions and rollbacks.")] = 3002,
    workers: Annotated[int, typer.Option(help="Service processes.", min=1)] = 2,
) -> None:
    """Train if there is no model yet, then serve and watch until Ctrl-C.

    With --demo, replay held-out real bars through the HTTP endpoint and break things on purpose:
    see `plumbline drill --help`.
    """
    layout = Layout(state.resolve(), model, config, port, monitor_port, admin_port, workers)
    console = Console(stderr=True)
    for number in (signal.SIGTERM, signal.SIGINT):  # a shell's background jobs ignore SIGINT
        signal.signal(number, lambda *_: _interrupt())
    try:
        with ExitStack() as stack:
            stack.enter_context(_only_one(layout))
            passed = _run(layout, stack, console, demo=demo, once=once)
    except ChildError as error:
        raise fail(str(error)) from error
    except KeyboardInterrupt:
        console.print("stopped")
        return
    if not passed:
        raise typer.Exit(1)


def _run(layout: Layout, stack: ExitStack, console: Console, *, demo: bool, once: bool) -> bool:
    began = time.monotonic()
    _prepare(layout, console)
    service, monitor = _start(layout, stack, console)
    console.print(f"serving after {time.monotonic() - began:.0f} s on {layout.url(layout.port)}")
    console.print(f"status page on {layout.url(layout.monitor_port)}")
    passed = True
    if demo:
        passed = _demonstrate(layout, console)
        console.print(f"the whole demonstration took {time.monotonic() - began:.0f} s")
    if not (demo and once):
        console.print("running until Ctrl-C")
        while True:
            service.check()
            monitor.check()
            time.sleep(1.0)
    return passed


def _prepare(layout: Layout, console: Console) -> None:
    """Copy the training configuration, and train if there is no champion."""
    from plumbline.store.objects import Objects
    from plumbline.store.registry import ModelRegistry

    if not layout.train_config.exists():
        _copy_config(layout)
    if ModelRegistry(Objects(layout.store_url), layout.model).alias() is not None:
        return
    console.print("training the first model")
    _plumbline(
        "train",
        "--promote",
        *_options(config=layout.train_config, store=layout.store_url, model=layout.model),
    )


def _copy_config(layout: Layout) -> None:
    from plumbline.training.configs import config_names

    if Path(layout.config).is_file():
        shutil.copy(layout.config, layout.train_config)
        return
    with as_file(files("plumbline.training") / "configs" / f"{layout.config}.toml") as path:
        if not path.is_file():
            raise ChildError(
                f"there is no training configuration {layout.config!r}: "
                f"{suggestion(layout.config, config_names())}"
            )
        shutil.copy(path, layout.train_config)


def _start(layout: Layout, stack: ExitStack, console: Console) -> tuple[Child, Child]:
    """Start the service and the monitor, and write down where they are."""
    logs = layout.state / "logs"
    common = _options(store=layout.store_url, model=layout.model, state=layout.state)
    ports = _options(port=layout.port, admin_port=layout.admin_port, workers=layout.workers)
    service = Child.start("service", ["serve", *common, *ports], logs=logs)
    stack.callback(service.stop)
    service_url, monitor_url = layout.url(layout.port), layout.url(layout.monitor_port)
    around = _options(port=layout.monitor_port, service_url=service_url)
    monitor = Child.start("monitor", ["monitor", *common, *around], logs=logs)
    stack.callback(monitor.stop)
    console.print("starting the service and the monitor")
    service.wait_ready(f"{service_url}/readyz", seconds=READY_SECONDS)
    monitor.wait_ready(f"{monitor_url}/readyz", seconds=READY_SECONDS)
    system = {
        "service_url": service_url,
        "monitor_url": monitor_url,
        "store_url": layout.store_url,
        "model": layout.model,
        "replay": str(layout.replay),
        "train_config": str(layout.train_config),
        "service_pid": service.process.pid,
    }
    path = layout.state / "system.json"
    path.write_text(json.dumps(system, indent=1))
    stack.callback(path.unlink, missing_ok=True)
    return service, monitor


def _demonstrate(layout: Layout, console: Console) -> bool:
    """Replay the held-out bars, run every drill, and say how it went."""
    from plumbline.cli.drill import carry_out
    from plumbline.drills.errors import DrillError
    from plumbline.drills.scenarios import DRILLS
    from plumbline.drills.system import System

    _plumbline("replay-data", *_options(config=layout.train_config, out=layout.replay))
    try:
        report = carry_out(System.read(layout.state), list(DRILLS))
    except DrillError as error:
        raise ChildError(str(error)) from error
    path = layout.state / "drills.json"
    path.write_bytes(report.to_json())
    good = sum(result.passed for result in report.drills)
    console.print(f"{good} of {len(report.drills)} drills passed; the report is {path}")
    return good == len(report.drills)


def _options(**values: object) -> list[str]:
    """Return values as ``--name value`` pairs."""
    pairs = ((f"--{name.replace('_', '-')}", str(value)) for name, value in values.items())
    return [part for pair in pairs for part in pair]


def _plumbline(*arguments: str) -> None:
    """Run a `plumbline` command to its end; raises `ChildError` if it fails."""
    done = subprocess.run(  # noqa: S603 - our own command line
        [sys.executable, "-P", "-m", "plumbline.cli.main", *arguments],
        check=False,
        stdout=subprocess.DEVNULL,
    )
    if done.returncode:
        raise ChildError(f"`plumbline {arguments[0]}` failed with exit code {done.returncode}")


@contextmanager
def _only_one(layout: Layout) -> Iterator[None]:
    """Hold the lease on the store; a second `plumbline up` is told who has it."""
    from plumbline.store.errors import ConflictError
    from plumbline.store.lease import Lease
    from plumbline.store.objects import Objects

    owner = f"process {os.getpid()} on {socket.gethostname()}"
    lease = Lease(Objects(layout.store_url), "up", owner=owner, ttl_seconds=LEASE_SECONDS)
    try:
        lease.acquire()
    except ConflictError as error:
        raise fail(
            f"another `plumbline up` runs on {layout.store_url}: {error}. Use that one, give "
            f"--state another folder, or, if it crashed, try again in {LEASE_SECONDS:.0f} s"
        ) from error
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(LEASE_SECONDS / 4):
            lease.renew()

    keeper = threading.Thread(target=renew, daemon=True)
    keeper.start()
    try:
        yield
    finally:
        ended.set()
        keeper.join()
        lease.release()


def _interrupt() -> None:
    raise KeyboardInterrupt
