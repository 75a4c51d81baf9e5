"""What ``promtool check metrics`` finds in a text of metrics."""

from __future__ import annotations

import subprocess

from tests.support.programs import require_program

FOREIGN = ("process_", "python_")
"""Metrics that are named by prometheus_client, as every Python program names them."""


def complaints(text: str) -> list[str]:
    """Return its complaints about metrics of ours, one a line; none is right.

    Raises
    ------
    AssertionError
        If promtool cannot read the text.
    """
    checked = subprocess.run(
        [require_program("promtool"), "check", "metrics"],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    found = (checked.stdout + checked.stderr).splitlines()

    assert checked.returncode in (0, 3), found
    return [line for line in found if not line.startswith(FOREIGN)]
