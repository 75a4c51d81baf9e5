"""`plumbline up`: a whole system on one machine, and the demonstration."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated

import typer
from pydantic import Field
from rich.console import Console

from plumbline.bundle.record import Record
from plumbline.bundle.suggestion import suggestion
from plumbline.cli.children import Child, ChildError, run_plumbline
from plumbline.cli.complete import complete_config, complete_model
from plumbline.cli.output import fail

READY_SECONDS = 120.0

WHOLE_WINDOWS = 0.3
"""Share of rows logged with their whole window: on one machine disk is cheap, and a client that
changes its windows is heard within a few rows."""


class Incumbent(Record):
    """Who holds a state folder, or held it last; kept in ``up.json``."""

    pid: int
    system_id: str = Field(description="The system id that all its processes bear.")


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
    system_id: str

    @property
    def ports(self) -> dict[str, int]:
        """The ports by the options that set them."""
        return {
            "--port": self.port,
            "--monitor-port": self.monitor_port,
            "--admin-port": self.admin_port,
        }

    @property
    def system_file(self) -> Path:
        """Where drills find the running system."""
        return self.state / "system.json"

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
    model: Annotated[
        str, typer.Option(help="Name of the model.", autocompletion=complete_model)
    ] = "eurusd-1h",
    config: Annotated[
        str,
        typer.Option(help="Training configuration: name or file.", autocompletion=complete_config),
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
    from plumbline.cli.kinship import new_system_id

    layout = Layout(
        state.resolve(), model, config, port, monitor_port, admin_port, workers, new_system_id()
    )
    console = Console(stderr=True)
    for number in (signal.SIGTERM, signal.SIGINT):  # a shell's background jobs ignore SIGINT
        signal.signal(number, lambda *_: _interrupt())
    try:
        with ExitStack() as stack:
            _take_over(layout, stack, console)
            refuse_taken_ports(layout.ports)
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
        write_config(layout)
    if ModelRegistry(Objects(layout.store_url), layout.model).alias() is not None:
        return
    console.print("training the first model")
    run_plumbline(
        "train",
        "--promote",
        *_options(config=layout.train_config, store=layout.store_url, model=layout.model),
        system_id=layout.system_id,
    )


def write_config(layout: Layout) -> None:
    """Copy a configuration of ours; of a file inherit, so that what it names is found beside it."""
    from plumbline.training.configs import config_names

    if (path := Path(layout.config)).is_file():
        layout.train_config.write_text(f"base = {json.dumps(str(path.resolve()))}\n")
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
    common = _options(store=layout.store_url, model=layout.model)
    serving = _options(
        port=layout.port,
        admin_port=layout.admin_port,
        workers=layout.workers,
        state=layout.state / "service",
    )
    os.environ.setdefault("PLUMBLINE_SERVICE_WINDOW_SAMPLE_RATIO", str(WHOLE_WINDOWS))
    service = Child.start(
        "service", ["serve", *common, *serving], logs=logs, system_id=layout.system_id
    )
    stack.callback(service.stop)
    service_url, monitor_url = layout.url(layout.port), layout.url(layout.monitor_port)
    watching = _options(
        port=layout.monitor_port, service_url=service_url, state=layout.state / "monitor"
    )
    monitor = Child.start(
        "monitor", ["monitor", *common, *watching], logs=logs, system_id=layout.system_id
    )
    stack.callback(monitor.stop)
    console.print("starting the service and the monitor")
    service.wait_ready(layout.port, seconds=READY_SECONDS)
    monitor.wait_ready(layout.monitor_port, seconds=READY_SECONDS)
    system = {
        "service_url": service_url,
        "monitor_url": monitor_url,
        "store_url": layout.store_url,
        "model": layout.model,
        "replay": str(layout.replay),
        "train_config": str(layout.train_config),
        "service_pid": service.process.pid,
    }
    layout.system_file.write_text(json.dumps(system, indent=1))
    stack.callback(layout.system_file.unlink, missing_ok=True)
    return service, monitor


def _demonstrate(layout: Layout, console: Console) -> bool:
    """Replay the held-out bars, run every drill, and say how it went."""
    from plumbline.cli.drill import carry_out
    from plumbline.drills.errors import DrillError
    from plumbline.drills.scenarios import DRILLS
    from plumbline.drills.system import System

    replay = _options(config=layout.train_config, out=layout.replay)
    run_plumbline("replay-data", *replay, system_id=layout.system_id)
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


def _take_over(layout: Layout, stack: ExitStack, console: Console) -> None:
    """Take the state folder, end what a killed predecessor left, and appoint a guardian.

    Raises
    ------
    ChildError
        If another `plumbline up` holds the folder.
    """
    from plumbline.cli.guardian import Guardian
    from plumbline.cli.kinship import end_members
    from plumbline.store.disk import FileLock

    layout.state.mkdir(parents=True, exist_ok=True)
    lock = FileLock(layout.state / "up.lock")
    mark = layout.state / "up.json"
    held = lock.acquire()
    before = Incumbent.from_json(mark.read_bytes(), source=str(mark)) if mark.exists() else None
    if not held:
        who = f": process {before.pid}" if before else ""
        raise ChildError(
            f"another `plumbline up` runs on {layout.state}{who}. Use that one, stop it, or give "
            "--state another folder"
        )
    stack.callback(lock.release)
    layout.system_file.unlink(missing_ok=True)
    if before is not None and (left := end_members(before.system_id)):
        console.print(f"ended {left} processes that a killed `plumbline up` had left behind")
    mark.write_bytes(Incumbent(pid=os.getpid(), system_id=layout.system_id).to_json())
    stack.callback(mark.unlink, missing_ok=True)
    stack.callback(Guardian.start(layout.system_id, layout.system_file).dismiss)


def refuse_taken_ports(ports: Mapping[str, int]) -> None:
    """Raise `ChildError` if a port cannot be listened on, with its holder and one that is free."""
    from plumbline.cli.kinship import describe_holder, free_port_near, is_free

    problems, seen = [], set[int]()
    for option, port in ports.items():
        if port not in seen and is_free(port):
            seen.add(port)
            continue
        holder = "another of the three" if port in seen else describe_holder(port)
        free = free_port_near(port, but=ports.values())
        instead = f"{option} {free}" if free else f"another {option}"
        problems.append(f"port {port} is taken by {holder}: stop it, or give {instead}")
    if problems:
        raise ChildError("; ".join(problems))


def _interrupt() -> None:
    raise KeyboardInterrupt
