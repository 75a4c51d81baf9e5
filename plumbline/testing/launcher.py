"""The contract of launchers, wherever the jobs run: what they did is known by what they print."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field

from plumbline.monitoring.repair.launchers.base import (
    JobHandle,
    JobSpec,
    JobState,
    JobStatus,
    Launcher,
)
from plumbline.testing.contract import hold, require

LOG_BYTES = 10_000


def _python(code: str) -> tuple[str, ...]:
    return (code,)


@dataclass(frozen=True)
class Jobs:
    """Arguments of jobs that do what their names say; by default Python for ``python -c``.

    Attributes
    ----------
    unique
        Prints ``{"run": …}`` with something that no other run prints.
    refusing
        Prints ``{"passed": false}`` and exits with 1.
    failing
        Writes ``the disk is full`` to standard error and exits with 1.
    babbling
        Prints something that is no JSON object, and exits with 0.
    lasting
        Takes a minute.
    noisy
        Writes a megabyte and then ``the end`` to standard error, and prints ``{}``.
    """

    unique: tuple[str, ...] = _python('import uuid; print(\'{"run": "%s"}\' % uuid.uuid4())')
    refusing: tuple[str, ...] = _python("import sys; print('{\"passed\": false}'); sys.exit(1)")
    failing: tuple[str, ...] = _python("raise SystemExit('the disk is full')")
    babbling: tuple[str, ...] = _python("print('done')")
    lasting: tuple[str, ...] = _python("import time; time.sleep(60)")
    noisy: tuple[str, ...] = _python(
        "import sys; sys.stderr.write('x' * 10**6 + 'the end'); print('{}')"
    )


def check_launcher(
    make: Callable[[], Launcher],
    jobs: Jobs | None = None,
    *,
    patience_seconds: float = 20.0,
    outliving: bool = False,
) -> None:
    """Hold a launcher to everything it promises.

    Parameters
    ----------
    make
        Returns a new launcher that remembers no jobs.
    jobs
        What it can run; by default Python, for one whose command is ``python -c``.
    patience_seconds
        How long a job that does nothing may take.
    outliving
        Whether its jobs run on when it is closed, for the next launcher to find.

    Raises
    ------
    ContractError
        With the first promise that is broken.
    """
    hold(
        type(make()).__qualname__,
        _PROMISES,
        _Subject(make, jobs or Jobs(), patience_seconds, outliving),
    )


@dataclass
class _Subject:
    make: Callable[[], Launcher]
    jobs: Jobs
    patience: float
    outliving: bool
    number: int = field(default=0)

    def spec(self, arguments: tuple[str, ...], *, seconds: float = 60.0) -> JobSpec:
        """Return a job with a key of its own."""
        self.number += 1
        return JobSpec(key=f"check-{self.number}", arguments=arguments, timeout_seconds=seconds)

    def end(self, launcher: Launcher, spec: JobSpec) -> JobStatus:
        handle = launcher.submit(spec)
        deadline = time.monotonic() + self.patience
        while (status := launcher.poll(handle)).state is JobState.RUNNING:
            require(time.monotonic() < deadline, f"a job still runs after {self.patience:g} s")
            time.sleep(0.01)
        return status


def _gives_the_document(subject: _Subject) -> None:
    """A job gives the JSON object it printed, whatever its exit code: a refusal is an outcome."""
    with closing(subject.make()) as launcher:
        status = subject.end(launcher, subject.spec(subject.jobs.refusing))
    require(status.state is JobState.FINISHED, f"it is {status.state}: {status.detail}")
    require(status.document == {"passed": False}, f"its document is {status.document}")


def _runs_a_key_once(subject: _Subject) -> None:
    """A second submission of a key, while it runs or after, returns the first run."""
    with closing(subject.make()) as launcher:
        spec = subject.spec(subject.jobs.unique)
        require(launcher.submit(spec) == launcher.submit(spec), "two submissions, two handles")
        first, again = (subject.end(launcher, spec).document for _ in range(2))
        require(first and first == again, f"one key gave {first} and then {again}")
        other = subject.end(launcher, subject.spec(subject.jobs.unique)).document
        require(other and other != first, f"another key gave {other} after {first}")


def _says_why_it_failed(subject: _Subject) -> None:
    """A failed job says its last words; output that is no JSON object is a failure."""
    with closing(subject.make()) as launcher:
        status = subject.end(launcher, subject.spec(subject.jobs.failing))
        require(status.state is JobState.FAILED, f"a failing job is {status.state}")
        require("the disk is full" in status.detail, f"it says {status.detail!r}")
        status = subject.end(launcher, subject.spec(subject.jobs.babbling))
        require(status.state is JobState.FAILED, f"a job without a document is {status.state}")


def _ends_what_takes_too_long(subject: _Subject) -> None:
    """A job past its limit is ended and has failed."""
    with closing(subject.make()) as launcher:
        status = subject.end(launcher, subject.spec(subject.jobs.lasting, seconds=0.3))
    require(status.state is JobState.FAILED, f"it is {status.state}")
    require(status.detail, "it does not say why")


def _cancels(subject: _Subject) -> None:
    """A cancelled job has failed; a second does nothing; closing ends or leaves what runs."""
    launcher = subject.make()
    with closing(launcher):
        handle = launcher.submit(subject.spec(subject.jobs.lasting))
        launcher.cancel(handle)
        launcher.cancel(handle)
        state = launcher.poll(handle).state
        require(state is JobState.FAILED, f"after a cancel it is {state}")
        spec = subject.spec(subject.jobs.lasting)
        handle = launcher.submit(spec)
    if subject.outliving:
        with closing(subject.make()) as following:
            state = following.poll(following.submit(spec)).state
            following.cancel(handle)
        require(state is JobState.RUNNING, f"to the next launcher it is {state}")
    else:
        state = launcher.poll(handle).state
        require(state is JobState.FAILED, f"after closing the launcher it is {state}")


def _knows_no_strangers(subject: _Subject) -> None:
    """A job nobody submitted has failed; it is no error to ask."""
    with closing(subject.make()) as launcher:
        state = launcher.poll(JobHandle("never")).state
    require(state is JobState.FAILED, f"it is {state}")


def _keeps_the_end_of_the_log(subject: _Subject) -> None:
    """Logs are the end of standard error, and bounded."""
    with closing(subject.make()) as launcher:
        spec = subject.spec(subject.jobs.noisy)
        subject.end(launcher, spec)
        said = launcher.logs(launcher.submit(spec))
    require(said.rstrip().endswith("the end"), f"they end in {said[-20:]!r}")
    require(
        len(said) <= LOG_BYTES, f"they are {len(said)} bytes long, expected {LOG_BYTES} at most"
    )


_PROMISES = (
    _gives_the_document,
    _runs_a_key_once,
    _says_why_it_failed,
    _ends_what_takes_too_long,
    _cancels,
    _knows_no_strangers,
    _keeps_the_end_of_the_log,
)
