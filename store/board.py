"""The verdict board: what the monitor says now, for the service to repeat with every answer."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from plumbline.bundle.finding import Diagnosis
from plumbline.bundle.record import Record
from plumbline.store.objects import Objects
from plumbline.store.pointer import Pointer


class Bulletin(Record):
    """A diagnosis, of which version, and since when."""

    version: str
    diagnosis: Diagnosis
    time: datetime
    incident: str | None = Field(None, description="Id of the open incident, if any.")
    rows: int = Field(ge=0, description="Predictions of this version read when it was published.")


def verdict_board(objects: Objects, model: str) -> Pointer[Bulletin]:
    """Return the board of a model, under ``verdicts/<model>/``."""
    return Pointer(objects, f"verdicts/{model}", Bulletin)
