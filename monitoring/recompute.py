"""Are the inputs what training would have computed? Asked of a process of its own, now and then.

Features are computed by the training room, which the monitor may not know: they meet on a command
line. ``python -m plumbline.training.recompute`` compares the newest logged rows with the bars they
are about and prints what it found; here is when it is asked, and what is made of the answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog
from pydantic import ValidationError

from plumbline.bundle.archive import Bundle
from plumbline.bundle.finding import Diagnosis
from plumbline.diagnosis.exact.recomputed import Recomputed
from plumbline.monitoring.errors import MonitoringError
from plumbline.monitoring.metrics import Metrics
from plumbline.monitoring.repair.launchers.base import JobHandle, JobSpec, JobState, Launcher
from plumbline.monitoring.settings import MonitoringSettings
from plumbline.monitoring.watching.judgement import Judgement

FIRST_ROWS = 50
"""Rows of a version after which its inputs are computed again for the first time."""

_MORE_ROWS = 50
"""Rows after which columns that differed without being enough to accuse are looked at again."""

_NEW_ROWS = 20
"""The same for a client that is accused: so many right rows lift it."""

_TIMEOUT_SECONDS = 300.0
_REST_SECONDS = 5.0
"""Between two jobs, however often there is reason for one."""

log = structlog.get_logger()


class RecomputeWatch:
    """Launches one recomputation at a time, and holds what the newest one knows.

    Parameters
    ----------
    settings, launcher, metrics
        Where the bars are and how often, what runs it (None: nothing does), and where it counts.
    clock
        Seconds that never go back.
    """

    def __init__(
        self,
        settings: MonitoringSettings,
        launcher: Launcher | None,
        metrics: Metrics,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._launcher = launcher
        self._metrics = metrics
        self._clock = clock
        self._version = ""
        self._asked = True
        self._alarmed = self._lifted = False
        self._rows = 0
        self._rested = self._due = clock()
        self._job: JobHandle | None = None
        self.last: Recomputed | None = None

    def judgement(self, version: str) -> Diagnosis | None:
        """Return the client's fault; None where inputs are equal, or where nothing is known."""
        if self.last is None or self.last.version != version:
            return None
        return self.last.diagnosis()

    def lifted(self) -> bool:
        """Whether a client that was accused has been found right since this was last asked."""
        lifted, self._lifted = self._lifted, False
        return lifted

    def step(self, bundle: Bundle, judgement: Judgement) -> None:
        """Launch a recomputation if there is reason for one, and take in the one that has ended.

        Parameters
        ----------
        bundle
            The champion.
        judgement
            What its stream says.
        """
        source = self._source(bundle)
        if self._launcher is None or not source:
            return
        if bundle.version != self._version:
            self._begin(bundle.version)
        alarmed = any(each.alarmed and each.subject == "output" for each in judgement.evidence)
        self._asked |= alarmed and not self._alarmed
        self._alarmed = alarmed
        if self._job is not None:
            self._follow(self._launcher, self._job)
        elif judgement.rows >= FIRST_ROWS and self._clock() >= self._rested:
            new = judgement.rows - self._rows
            if self._asked or self._overdue(new):
                self._asked, self._rows = False, judgement.rows
                self._due = self._clock() + self._settings.recompute_seconds
                self._job = self._launch(self._launcher, source)

    @property
    def seconds_left(self) -> float:
        """Until inputs are computed again unasked."""
        return max(0.0, self._due - self._clock())

    def close(self) -> None:
        """Stop the recomputation that goes on."""
        if self._launcher is not None:
            self._launcher.close()

    def _source(self, bundle: Bundle) -> str:
        """Return where the bars are; empty where columns cannot be computed from any."""
        if bundle.manifest.feature_set is None or bundle.manifest.family == "packed":
            return ""
        bars = self._settings.bars
        return bundle.manifest.data.source if bars is None else bars

    def _begin(self, version: str) -> None:
        if self._job is not None and self._launcher is not None:
            self._launcher.cancel(self._job)
        self._version, self._job, self.last = version, None, None
        self._asked, self._alarmed, self._rows = True, False, 0

    def _overdue(self, new: int) -> bool:
        """Whether new rows may say something else than the last ones did."""
        if self.last is not None and self.last.wrong:
            return new >= _NEW_ROWS
        if self.last is not None and self.last.open and new >= _MORE_ROWS:
            return True
        return new > 0 and self._clock() >= self._due

    def _launch(self, launcher: Launcher, source: str) -> JobHandle | None:
        settings = self._settings
        target = {
            "store": settings.store,
            "model": settings.model,
            "version": self._version,
            "bars": source,
        }
        spec = JobSpec(
            key=f"recompute-{time.time_ns()}",
            arguments=tuple(part for name, text in target.items() for part in (f"--{name}", text)),
            timeout_seconds=_TIMEOUT_SECONDS,
        )
        try:
            return launcher.submit(spec)
        except MonitoringError as error:
            self._failed(str(error))
            return None

    def _follow(self, launcher: Launcher, job: JobHandle) -> None:
        status = launcher.poll(job)
        if status.state is JobState.RUNNING:
            return
        self._job, self._rested = None, self._clock() + _REST_SECONDS
        if status.state is JobState.FAILED or status.document is None:
            self._failed(status.detail)
            return
        try:
            found = Recomputed.model_validate(status.document)
        except ValidationError as error:
            self._failed(f"its document is none of ours: {error.error_count()} faults")
            return
        result = "wrong" if found.wrong else "equal" if found.known else "unknown"
        self._metrics.recomputations.labels(self._settings.model, result).inc()
        log.info("inputs_recomputed", result=result, detail=found.verdict, compared=found.compared)
        if found.version == self._version and (found.known or self.last is None):
            self._lifted = self.last is not None and bool(self.last.wrong) and not found.wrong
            self.last = found

    def _failed(self, detail: str) -> None:
        self._metrics.recomputations.labels(self._settings.model, "failed").inc()
        log.warning("recomputation_failed", detail=detail)
