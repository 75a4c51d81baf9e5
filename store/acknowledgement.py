"""Who has said of an incident that they have seen it, so that no two people start on it.

It changes nothing else, and stays: ``acknowledgements/<model>/<incident>.json``, written once.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from plumbline.bundle.record import Record
from plumbline.store.objects import Objects


class Acknowledgement(Record):
    """Somebody is on it."""

    incident: str = Field(pattern=r"^[0-9a-f]{16}$")
    actor: str = Field(min_length=1)
    note: str = ""
    time: datetime


class Acknowledgements:
    """The acknowledgements of one model's incidents.

    Parameters
    ----------
    objects, model
        The store, and whose.
    """

    def __init__(self, objects: Objects, model: str) -> None:
        self._objects = objects
        self._folder = f"acknowledgements/{model}"
        self._known: dict[str, Acknowledgement] = {}

    def put(self, acknowledgement: Acknowledgement) -> None:
        """Record one; `ConflictError` if somebody else was first."""
        self._objects.create(self._key(acknowledgement.incident), acknowledgement.to_json())

    def all(self) -> dict[str, Acknowledgement]:
        """Return them by incident; each is read once."""
        for key in self._objects.keys(self._folder):
            if key not in self._known:
                data = self._objects.read(key)
                self._known[key] = Acknowledgement.from_json(data, source=key)
        return {each.incident: each for each in self._known.values()}

    def _key(self, incident: str) -> str:
        return f"{self._folder}/{incident}.json"
