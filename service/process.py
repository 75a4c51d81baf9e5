"""The BentoML process and the workers below it, none of which may outlive the server."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it has no stubs of its own

_PR_SET_PDEATHSIG = 1
_NOTE_SECONDS = 1.0
_WORKER = "_bentoml_impl.worker.service"


class ProcessTree:
    """A child process in a session of its own, and whatever it starts.

    The terminal's Ctrl-C does not reach it: the parent decides when it stops. Where the parent is
    killed, Linux sends the child SIGTERM. BentoML gives each worker a session of its own, so the
    descendants are remembered for the case that the child dies without stopping them.
    """

    def __init__(self, command: list[str], environment: Mapping[str, str], folder: Path) -> None:
        self._child = subprocess.Popen(  # noqa: S603 -- our own command line
            command,
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 -- no thread runs yet
        )
        self._root = psutil.Process(self._child.pid)
        self._known: set[psutil.Process] = set()
        self._workers: set[psutil.Process] = set()
        self._noted_at = float("-inf")

    def poll(self) -> int | None:
        """Return the child's exit code, or None while it runs; now and then notes descendants."""
        if time.monotonic() - self._noted_at > _NOTE_SECONDS:
            self._note()
        return self._child.poll()

    @property
    def workers_seen(self) -> int:
        """How many workers there have been, dead ones included, as far as they were noted."""
        return len(self._workers)

    def stop(self, seconds: float) -> None:
        """Ask the child to stop, then make sure that nothing is left."""
        self._note()
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(seconds)
        self._end_rest(seconds)

    def _note(self) -> None:
        self._noted_at = time.monotonic()
        with suppress(psutil.Error):
            self._known.update(self._root.children(recursive=True))
        for process in self._known - self._workers:
            with suppress(psutil.Error):
                if _WORKER in process.cmdline():
                    self._workers.add(process)

    def _end_rest(self, seconds: float) -> None:
        """Stop descendants that outlived the child, politely at first."""
        rest = [process for process in self._known if process.is_running()]
        for process in rest:
            with suppress(psutil.Error):
                process.terminate()
        _, stubborn = psutil.wait_procs(rest, timeout=min(seconds, 5.0))
        if self._child.poll() is None:
            self._child.kill()
        for process in stubborn:
            with suppress(psutil.Error):
                process.kill()
        self._child.wait()


def _die_with_parent() -> None:
    """Ask Linux for SIGTERM when the parent ends; other systems do without."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
