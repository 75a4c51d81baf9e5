"""How far long work has come: a bar at a terminal, plain lines elsewhere, on stderr both."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

import typer
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

Report: TypeAlias = Callable[[str, float], None]
"""Takes what is being done, ``step, detail``, and the share done, between 0 and 1."""

LINE_SECONDS = 10.0


@contextmanager
def showing_progress() -> Iterator[Report]:
    """Show progress as long as the block runs."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield ProgressLines(lambda line: typer.echo(line, err=True))
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=1.0)
        yield lambda what, share: bar.update(task, description=what, completed=share)


class ProgressLines:
    """Says a line when the step changes, and now and then while it lasts.

    Parameters
    ----------
    say
        Takes a line.
    clock
        Seconds of a monotonic clock.
    """

    def __init__(
        self, say: Callable[[str], None], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._say = say
        self._clock = clock
        self._began = clock()
        self._said_at = float("-inf")
        self._step = ""

    def __call__(self, what: str, share: float) -> None:
        """Take a report, and say it if it is news."""
        now = self._clock()
        step = what.partition(",")[0]
        if step == self._step and now - self._said_at < LINE_SECONDS:
            return
        self._step, self._said_at = step, now
        self._say(f"{now - self._began:4.0f} s {share:4.0%}  {what}")
