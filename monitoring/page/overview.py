"""Every model in the store on one page: what is said of each, and whether anybody watches it.

Read from the store alone, so it shows models that other monitors watch, and those that none does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

from pydantic import Field

from plumbline.bundle.errors import BundleError
from plumbline.bundle.finding import Diagnosis
from plumbline.bundle.record import Record
from plumbline.monitoring.page.shelf import PAUSE
from plumbline.store.board import Bulletin, verdict_board
from plumbline.store.errors import StoreError
from plumbline.store.lease import Tenure
from plumbline.store.objects import Objects
from plumbline.store.pointer import Pointer
from plumbline.store.registry import ModelRegistry


class ModelLine(Record):
    """One model."""

    name: str
    version: str | None = Field(None, description="The champion; None without one.")
    promoted: datetime | None = None
    diagnosis: Diagnosis | None = Field(None, description="None if nothing was said of it.")
    since: datetime | None = None
    rows: int = 0
    incident: str | None = Field(None, description="The open incident, if there is one.")
    watched: bool = Field(False, description="Whether a monitor leads there now.")
    problem: str = ""


class Overview:
    """Reads every model's champion, bulletin and lease; what has not changed is not read again.

    Parameters
    ----------
    objects
        The store.
    clock
        Returns the present time, in UTC.
    """

    def __init__(self, objects: Objects, *, clock: Callable[[], datetime]) -> None:
        self._objects, self._clock = objects, clock
        self._registries: dict[str, ModelRegistry] = {}
        self._boards: dict[str, Pointer[Bulletin]] = {}
        self._leases: dict[str, Pointer[Tenure]] = {}
        self._lock = threading.Lock()
        self._lines: tuple[ModelLine, ...] = ()
        self._due: datetime | None = None

    def look(self) -> tuple[ModelLine, ...]:
        """Return every model, those in need first; raises `StoreError` if none can be listed."""
        with self._lock:
            if self._due is None or self._clock() >= self._due:
                lines = [self._line(name) for name in ModelRegistry.names(self._objects)]
                self._lines = tuple(sorted(lines, key=_need))
                self._due = self._clock() + PAUSE
            return self._lines

    def _line(self, name: str) -> ModelLine:
        if name not in self._registries:
            self._registries[name] = ModelRegistry(self._objects, name)
            self._boards[name] = verdict_board(self._objects, name)
            self._leases[name] = Pointer(self._objects, f"leases/controller-{name}", Tenure)
        try:
            champion = self._registries[name].alias()
            said, tenure = self._boards[name].newest(), self._leases[name].newest()
        except (BundleError, StoreError) as error:
            return ModelLine(name=name, problem=str(error))
        watched = tenure is not None and tenure.value.holds(self._clock())
        if champion is None:
            return ModelLine(name=name, watched=watched)
        target = champion.value
        line = ModelLine(name=name, version=target.version, promoted=target.time, watched=watched)
        if said is None or said.value.version != target.version:
            return line
        bulletin = said.value
        return line.model_copy(
            update={
                "diagnosis": bulletin.diagnosis,
                "since": bulletin.time,
                "rows": bulletin.rows,
                "incident": bulletin.incident,
            }
        )


def _need(line: ModelLine) -> tuple[int, str]:
    """Order by how much a model needs somebody: unsound ones first, the well ones last."""
    if line.problem or (line.diagnosis is not None and not line.diagnosis.sized):
        return 0, line.name
    if line.version is None or not line.watched or line.diagnosis is None:
        return 1, line.name
    return (3 if line.diagnosis.verdict.facts.well else 2), line.name
