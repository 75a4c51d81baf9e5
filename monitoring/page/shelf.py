"""What the page shows that lies in the store, read when somebody looks and not by the loop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from plumbline.bundle.errors import BundleError
from plumbline.monitoring.page.holdings import MAX_REPORTS, Holdings, ReportLink, RunLink
from plumbline.monitoring.page.lineage import Lineage
from plumbline.store.acceptance import Acceptances
from plumbline.store.acknowledgement import Acknowledgements
from plumbline.store.job_log import JobLogs
from plumbline.store.objects import Objects
from plumbline.store.report import list_reports
from plumbline.store.run import RunRecord, Runs

MAX_RUNS = 10
MAX_ACCEPTANCES = 10
PAUSE = timedelta(seconds=5)
"""Between two looks at the store, however many people look at the page."""


class Shelf:
    """What the store has of one model.

    Parameters
    ----------
    objects, model
        The store, and of whom.
    clock
        Returns the present time, in UTC.

    Attributes
    ----------
    held
        What was there at the newest look.
    """

    def __init__(self, objects: Objects, model: str, *, clock: Callable[[], datetime]) -> None:
        self._objects, self._model, self._clock = objects, model, clock
        self._lineage = Lineage(objects, model)
        self._runs = RunShelf(objects, model)
        self._acceptances = Acceptances(objects, model)
        self._acknowledgements = Acknowledgements(objects, model)
        self._job_logs = JobLogs(objects, model)
        self._lock = threading.Lock()
        self.held = Holdings()
        self._due: datetime | None = None

    def look(self) -> Holdings:
        """Return what there is, at most `PAUSE` old; raises `StoreError` if the store failed."""
        with self._lock:
            if self._due is None or self._clock() >= self._due:
                self.held = self._read()
                self._due = self._clock() + PAUSE
            return self.held

    def forget(self) -> None:
        """Look again the next time: somebody has just changed something."""
        with self._lock:
            self._due = None

    def _read(self) -> Holdings:
        runs = self._runs.links()
        versions, more = self._lineage.versions(runs)
        reports = links(self._objects, self._model)
        accepted = self._acceptances.history()[::-1]
        return Holdings(
            versions=versions,
            more_versions=more,
            moves=self._lineage.moves(),
            reports=reports[:MAX_REPORTS],
            more_reports=max(len(reports) - MAX_REPORTS, 0),
            runs=runs,
            acceptances=tuple(each.value for each in accepted[:MAX_ACCEPTANCES]),
            acknowledgements=self._acknowledgements.all(),
            job_logs=tuple(self._job_logs.keys()),
        )


def links(objects: Objects, model: str) -> tuple[ReportLink, ...]:
    """Return every report of a model, newest first."""
    return tuple(
        ReportLink(name=report.name, kind=report.kind, time=report.time)
        for report in list_reports(objects, model)
    )


class RunShelf:
    """The newest trainings; reads records once: they never change."""

    def __init__(self, objects: Objects, model: str) -> None:
        self._runs = Runs(objects, model)
        self._ended: dict[str, RunLink] = {}

    def links(self) -> tuple[RunLink, ...]:
        """Return the newest runs, newest first; raises `StoreError` if they cannot be listed."""
        newest = self._runs.ids()[:MAX_RUNS]
        self._ended = {run: link for run, link in self._ended.items() if run in newest}
        return tuple(self._ended.get(run) or self._read(run) for run in newest)

    def _read(self, run: str) -> RunLink:
        try:
            found = self._runs.read(run)
        except BundleError:
            return RunLink(id=run, end="unreadable")
        if not isinstance(found, RunRecord):
            return RunLink(id=run, kind=found.kind, time=found.began)
        link = RunLink(
            id=run,
            kind=found.kind,
            time=found.began,
            end=found.end.value,
            version=found.version,
        )
        self._ended[run] = link
        return link
