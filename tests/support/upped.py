"""`plumbline up` as a process of its own."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

START_SECONDS = 90.0


def wait_until(
    reached: Callable[[], bool],
    process: subprocess.Popen[bytes],
    log: Path,
    *,
    seconds: float = START_SECONDS,
) -> None:
    """Wait for something that a process brings about; fails with its log if it does not."""
    deadline = time.monotonic() + seconds
    while not reached():
        if process.poll() is not None or time.monotonic() > deadline:
            raise TimeoutError(f"it did not happen (exit {process.poll()}):\n{log.read_text()}")
        time.sleep(0.1)
