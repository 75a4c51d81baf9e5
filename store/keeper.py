"""Run a command and keep its claim: ``python -m plumbline.store.keeper … -- COMMAND``.

A sign of life goes to the store while the command runs, and what it printed when it has ended. If
the claim has been taken by another meanwhile (this machine stood still for too long), the command
is ended, what it printed is thrown away, and the exit code is 3.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from enum import Enum, auto
from pathlib import Path

from pydantic import JsonValue, TypeAdapter, ValidationError

from plumbline.store.claim import Hold, claim_of
from plumbline.store.errors import StoreError
from plumbline.store.job_log import LOG_BYTES, JobLogs, last_words
from plumbline.store.objects import Objects
from plumbline.store.patient import PatientObjects

TAKEN = 3
"""Exit code where the claim was lost."""

_NOT_RUN = 127
_GRACE_SECONDS = 5.0
_AGAIN_SECONDS = 1.0
_DOCUMENT: TypeAdapter[dict[str, JsonValue]] = TypeAdapter(dict[str, JsonValue])


def keeper_command(
    command: Sequence[str],
    *,
    claim: tuple[str, str, str],
    holder: tuple[str, int],
    beat_seconds: float,
    limit_seconds: float,
    log: Path,
) -> list[str]:
    """Return the command line that runs a command and keeps its claim.

    Parameters
    ----------
    command
        What is to be done.
    claim
        URL of the store, name of the model and key of the job.
    holder
        Who has taken the claim, and by which generation.
    beat_seconds, limit_seconds
        Between two signs of life, and how long the command may take.
    log
        Where its standard error goes; the end is kept in the store.
    """
    options = zip(_CLAIM, [*claim, *map(str, holder)], strict=True)
    told = [part for pair in options for part in pair]
    told += ["--beat", str(beat_seconds), "--limit", str(limit_seconds), "--log", str(log)]
    return [sys.executable, "-P", "-m", "plumbline.store.keeper", *told, "--", *command]


_CLAIM = ("--store", "--model", "--key", "--holder", "--number")


class Watched(Enum):
    """How the watch over a command ended."""

    ENDED = auto()
    LATE = auto()
    TAKEN = auto()


class Keeper:
    """A running command and its claim.

    Parameters
    ----------
    child, hold
        The command and the claim.
    beat_seconds, limit_seconds
        As for `keeper_command`.
    """

    def __init__(
        self,
        child: subprocess.Popen[bytes],
        hold: Hold,
        *,
        beat_seconds: float,
        limit_seconds: float,
    ) -> None:
        self._child = child
        self._hold = hold
        self._beat = beat_seconds
        self._until = time.monotonic() + limit_seconds

    def watch(self) -> Watched:
        """Give signs of life until the command ends, is late, or is not ours any more."""
        pause = 0.0
        while True:
            try:
                self._child.wait(max(min(pause, self._until - time.monotonic()), 0.0))
            except subprocess.TimeoutExpired:
                if time.monotonic() >= self._until:
                    return Watched.LATE
                try:
                    if not self._hold.beat():
                        return Watched.TAKEN
                    pause = self._beat
                except StoreError:
                    pause = min(self._beat, _AGAIN_SECONDS)
            else:
                return Watched.ENDED

    def stop(self) -> None:
        """End the command and what it has started, but not us."""
        leads = os.getpgrp() == os.getpid()
        if leads:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.killpg(0, signal.SIGTERM)
        else:
            self._child.terminate()
        try:
            self._child.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()


def main(arguments: Sequence[str]) -> int:
    """Run a command, keep its claim, and print what it printed if that was accepted."""
    options = _parser().parse_args(arguments)
    # Signs of life come as soon as the store is back; what came of it all is worth waiting for it.
    objects = Objects(options.store, create=False)
    patient = PatientObjects(options.store, create=False, known=True, tell=_tell)
    hold = Hold(claim_of(objects, options.model, options.key), options.holder, options.number)
    with tempfile.TemporaryFile() as output:
        document, detail, code = None, "", _NOT_RUN
        try:
            child = subprocess.Popen(  # noqa: S603  # the launcher's own command
                options.command, stdin=subprocess.DEVNULL, stdout=output
            )
        except OSError as error:
            detail = f"cannot run {options.command[0]}: {error}"
        else:
            keeper = Keeper(child, hold, beat_seconds=options.beat, limit_seconds=options.limit)
            watched = keeper.watch()
            if watched is not Watched.ENDED:
                keeper.stop()
            if watched is Watched.TAKEN:
                return _taken(options.key)
            code = child.returncode
            output.seek(0)
            document = _read(output.read()) if watched is Watched.ENDED else None
            detail = _why(watched, options, code) if document is None else ""
        last = hold.through(claim_of(patient, options.model, options.key))
        if not last.end(document, detail):
            return _taken(options.key)
    JobLogs(patient, options.model).keep(options.key, _log(options.log))
    if document is not None:
        sys.stdout.write(json.dumps(document))
    return code


def _why(watched: Watched, options: argparse.Namespace, code: int) -> str:
    if watched is Watched.LATE:
        return f"killed: it took longer than {options.limit:.0f} s"
    return f"ended with exit code {code} and without a result{last_words(_log(options.log))}"


def _taken(key: str) -> int:
    _tell(f"the claim of {key} is another's now: what came of this run is not used")
    return TAKEN


def _tell(what: str) -> None:
    sys.stderr.write(f"{what}\n")


def _read(printed: bytes) -> dict[str, JsonValue] | None:
    try:
        return _DOCUMENT.validate_json(printed)
    except ValidationError:
        return None


def _log(path: Path) -> str:
    try:
        return path.read_bytes()[-LOG_BYTES:].decode(errors="replace")
    except OSError:
        return ""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in _CLAIM:
        parser.add_argument(name, required=True, type=int if name == "--number" else str)
    parser.add_argument("--beat", required=True, type=float)
    parser.add_argument("--limit", required=True, type=float)
    parser.add_argument("--log", required=True, type=Path)
    parser.add_argument("command", nargs="+")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
