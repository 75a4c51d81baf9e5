"""Processes that `plumbline up` starts, waits for and ends; all bear its system id."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx

PLUMBLINE = (sys.executable, "-P", "-m", "plumbline.cli.main")
"""How to call ``plumbline``, whatever lies in the present folder."""
SYSTEM_VARIABLE = "PLUMBLINE_SYSTEM"
"""The environment variable that holds the system id; see `plumbline.cli.kinship`."""


class ChildError(Exception):
    """A process ended, or did not become ready; the message names its log."""


@dataclass
class Child:
    """A `plumbline` command in a session of its own, so that Ctrl-C reaches it through us alone."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    system_id: str

    @classmethod
    def start(cls, name: str, arguments: Sequence[str], *, logs: Path, system_id: str) -> Self:
        """Start ``plumbline <arguments>`` with its output in ``<logs>/<name>.log``."""
        logs.mkdir(parents=True, exist_ok=True)
        log = logs / f"{name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603 - our own command line
                [*PLUMBLINE, *arguments],
                env={**os.environ, SYSTEM_VARIABLE: system_id},
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        return cls(name, process, log, system_id)

    def wait_ready(self, port: int, *, seconds: float) -> None:
        """Wait until it says that it is ready; raises `ChildError` if that does not happen.

        Only an answer of ours counts: another process may have taken the port meanwhile.
        """
        from plumbline.cli.kinship import listens

        url = f"http://127.0.0.1:{port}/readyz"
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.check()
            try:
                ready = httpx.get(url, timeout=2.0).status_code == httpx.codes.OK
                if ready and listens(self.system_id, port):
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise ChildError(f"{self.name} was not ready after {seconds:.0f} s; see {self.log}")

    def check(self) -> None:
        """Raise `ChildError` if the process has ended, with the end of its log."""
        if (code := self.process.poll()) is not None:
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-5:])
            raise ChildError(f"{self.name} ended with exit code {code}; see {self.log}:\n{tail}")

    def stop(self, *, seconds: float = 20.0) -> None:
        """End the process and whatever it started: politely, then not."""
        if self.process.poll() is None:
            self._signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
        self._signal(signal.SIGKILL)
        self.process.wait()

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


def run_plumbline(*arguments: str, system_id: str) -> None:
    """Run a `plumbline` command to its end; raises `ChildError` if it fails."""
    done = subprocess.run(  # noqa: S603 - our own command line
        [*PLUMBLINE, *arguments],
        check=False,
        env={**os.environ, SYSTEM_VARIABLE: system_id},
        stdout=subprocess.DEVNULL,
    )
    if done.returncode:
        raise ChildError(f"`plumbline {arguments[0]}` failed with exit code {done.returncode}")
