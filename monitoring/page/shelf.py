"""The newest trainings of a model, as the status page lists them."""

from __future__ import annotations

from plumbline.bundle.errors import BundleError
from plumbline.monitoring.page.status import RunLink
from plumbline.store.objects import Objects
from plumbline.store.run import RunRecord, Runs

MAX_RUNS = 10


class RunShelf:
    """Reads records once: they never change."""

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
