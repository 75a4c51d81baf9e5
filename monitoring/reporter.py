"""Drift reports on schedule and on every verdict change, made by a process of their own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from plumbline.monitoring.errors import MonitoringError
from plumbline.monitoring.metrics import Metrics
from plumbline.monitoring.repair.launchers.base import JobHandle, JobSpec, JobState, Launcher
from plumbline.monitoring.settings import MonitoringSettings

MIN_ROWS = 30
_TIMEOUT_SECONDS = 180.0

log = structlog.get_logger()


@dataclass(frozen=True)
class ReportResult:
    """What the newest report found."""

    version: str
    drifted: tuple[str, ...]
    columns: int


class Reporter:
    """Launches one report at a time; wishes that come meanwhile become one.

    Parameters
    ----------
    settings, launcher, metrics
        How often, what runs it, and where it counts.
    clock
        Seconds that never go back.
    """

    def __init__(
        self,
        settings: MonitoringSettings,
        launcher: Launcher,
        metrics: Metrics,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._launcher = launcher
        self._metrics = metrics
        self._clock = clock
        self._wanted = False
        self._rested = clock()
        self._due = clock() + settings.report_seconds
        self._job: JobHandle | None = None
        self.last: ReportResult | None = None

    def ask(self) -> None:
        """Want a report as soon as there is something to report about."""
        self._wanted = True

    def step(self, version: str, rows: int) -> None:
        """Launch a report if one is wanted or due, and take in the one that is made.

        Parameters
        ----------
        version, rows
            The champion, and how many of its predictions have been read.
        """
        if self._job is not None:
            self._follow(self._job)
        elif rows >= MIN_ROWS and self._clock() >= (self._rested if self._wanted else self._due):
            self._wanted = False
            self._rested = self._clock() + self._settings.report_rest_seconds
            self._due = self._clock() + self._settings.report_seconds
            self._job = self._launch(version)

    @property
    def seconds_left(self) -> float:
        """Until the next scheduled report; one that is asked for comes sooner."""
        return max(0.0, self._due - self._clock())

    def close(self) -> None:
        """Stop the report that is being made."""
        self._launcher.close()

    def _launch(self, version: str) -> JobHandle | None:
        settings = self._settings
        target = {
            "store": settings.store,
            "model": settings.model,
            "version": version,
            "rows": str(settings.report_rows),
        }
        spec = JobSpec(
            key=f"report-{time.time_ns()}",
            arguments=tuple(part for name, text in target.items() for part in (f"--{name}", text)),
            timeout_seconds=_TIMEOUT_SECONDS,
        )
        try:
            return self._launcher.submit(spec)
        except MonitoringError as error:
            self._failed(str(error))
            return None

    def _follow(self, job: JobHandle) -> None:
        status = self._launcher.poll(job)
        if status.state is JobState.RUNNING:
            return
        self._job = None
        found = status.document
        if status.state is JobState.FAILED or found is None:
            self._failed(status.detail)
            return
        self.last = ReportResult(found["version"], tuple(found["drifted"]), found["columns"])
        self._metrics.reports.labels(self._settings.model, "written").inc()
        log.info("report_written", key=found["key"], drifted=len(self.last.drifted))

    def _failed(self, detail: str) -> None:
        self._metrics.reports.labels(self._settings.model, "failed").inc()
        log.warning("report_failed", detail=detail)
