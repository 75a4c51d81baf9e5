"""`plumbline drill`: break a running system on purpose and see what it says and does."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plumbline.bundle.suggestion import nearest
from plumbline.cli.complete import complete_drill
from plumbline.cli.output import JsonOption, emit, fail

if TYPE_CHECKING:
    from plumbline.drills.result import DrillReport
    from plumbline.drills.system import System

StateOption = Annotated[
    Path, typer.Option("--state", help="Folder of the running system, as given to `plumbline up`.")
]


_LOG_COLUMNS = 160


def drill(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Drills to run, in order.", autocompletion=complete_drill),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Run every drill.")] = False,
    state: StateOption = Path(".state"),
    as_json: JsonOption = False,
) -> None:
    """Run drills against the system that `plumbline up` started.

    Each one breaks something for real (a bundle, the feed, a worker, a retrain), watches what the
    monitor says and does about it through the public ports, and counts what was lost. Exit 1 if
    anything fell short.
    """
    from plumbline.drills.errors import DrillError
    from plumbline.drills.scenarios import DRILLS
    from plumbline.drills.system import System

    chosen = list(DRILLS) if everything else names or []
    unknown = [name for name in chosen if name not in DRILLS]
    if unknown or not chosen:
        near = nearest(unknown[0], DRILLS) if unknown else None
        meant = f": did you mean {near}?" if near else ""
        what = f"unknown: {', '.join(unknown)}{meant}" if unknown else "none named"
        raise typer.BadParameter(f"{what}; there are {', '.join(DRILLS)}, or --all")
    try:
        system = System.read(state)
    except DrillError as error:
        raise fail(str(error)) from error
    report = carry_out(system, chosen, quiet=as_json)
    if as_json:
        emit(report, as_json=True)
    if not all(result.passed for result in report.drills):
        raise typer.Exit(1)


def carry_out(system: System, names: list[str], *, quiet: bool = False) -> DrillReport:
    """Run drills, on a terminal with a live table on stderr, and return their report."""
    from rich.console import Console
    from rich.live import Live

    from plumbline.cli.drill_table import DrillTable
    from plumbline.drills.run import run_drills
    from plumbline.drills.scenarios import DRILLS

    console = Console(stderr=True)
    if not console.is_terminal:
        console.width = _LOG_COLUMNS
    table = DrillTable(names)
    kinds = [DRILLS[name] for name in names]
    if console.is_terminal and not quiet:
        with Live(table, console=console, refresh_per_second=4):
            return asyncio.run(run_drills(system, kinds, table.update))

    def line(name: str, what: object) -> None:
        table.update(name, what)
        if not isinstance(what, str):
            console.print(table.line(name), soft_wrap=True)

    report = asyncio.run(run_drills(system, kinds, line))
    if not quiet:
        console.print(table)
    return report
