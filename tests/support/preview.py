"""The program that draws dashboards, where there is one, over the story."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.dashboards import FOLDER
from tests.support.programs import require_program
from tests.support.story.script import START, TICK

PROGRAM = "PLUMBLINE_GRAFANA_PREVIEW"
"""Names it: it draws a dashboard's JSON with a Prometheus' data into a PNG (docs/dashboards.md)."""


@dataclass(frozen=True)
class View:
    """What to look at.

    Attributes
    ----------
    name
        Of the dashboard.
    at
        The end of what is shown, in seconds of the story.
    minutes
        How much of it is shown.
    """

    name: str
    at: int
    minutes: int = 75
    model: str = ""
    theme: str = "dark"

    def command(self, program: str, url: str, picture: Path) -> list[str]:
        """Return what draws it."""
        until = (START + self.at) * 1000
        return [
            *(program, str(FOLDER / f"{self.name}.json"), "--prometheus", url),
            *("--from", str(until - self.minutes * 60_000), "--to", str(until)),
            *("--theme", self.theme, "--scrape-interval", f"{TICK}s", "--out", str(picture)),
            *(("--var", f"model={self.model}") if self.model else ()),
        ]


def require_preview() -> str:
    """Return the program that draws; without it, or without Chromium, the test is skipped."""
    program = os.environ.get(PROGRAM)
    if not program:
        pytest.skip(f"{PROGRAM} names no program that draws dashboards")
    require_program("chromium")
    return program


def draw(program: str, view: View, url: str, picture: Path, *options: str) -> tuple[int, str]:
    """Draw one, and return the exit status with what was said of its panels."""
    done = subprocess.run(
        [*view.command(program, url, picture), *options],
        check=False,
        capture_output=True,
        text=True,
        timeout=150,
    )
    return done.returncode, done.stdout + done.stderr
