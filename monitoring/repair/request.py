"""What Alertmanager or a person asks for, kept in the store so that any monitor may receive it.

Deliveries are at-least-once and in any order: a request is created under an id that depends on its
content alone, so the second delivery is a no-op, and "resolved" is an object of its own beside it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field

from plumbline.bundle.record import Record
from plumbline.store.errors import ConflictError, StoreError
from plumbline.store.objects import Objects

MAX_PENDING = 1_000
_ASKED, _RESOLVED = "asked.json", "resolved.json"


class RequestKind(StrEnum):
    """Who asks."""

    WEBHOOK = "webhook"
    PERSON = "person"


class Request(Record):
    """Somebody wants the model looked at."""

    id: str = Field(pattern="^[0-9a-f]{16}$")
    kind: RequestKind
    actor: str = Field(max_length=200, description="Name of the alert or of the person.")
    reason: str = Field(max_length=1_000)
    version: str | None = Field(None, description="The version concerned, if it was named.")
    received: datetime


class RequestBox:
    """The requests about one model, under ``requests/<model>/<id>/``.

    Parameters
    ----------
    objects, model
        Where, and about what.
    patience
        How long a request stays pending.
    """

    def __init__(self, objects: Objects, model: str, *, patience: timedelta) -> None:
        self._objects = objects
        self._folder = f"requests/{model}"
        self._patience = patience
        self._seen: dict[str, Request] = {}

    def put(self, request: Request) -> bool:
        """Keep a request; returns False if it was there already.

        Raises
        ------
        StoreError
            If it cannot be kept: the store failed, or `MAX_PENDING` requests are waiting.
        """
        if len(self._seen) >= MAX_PENDING and request.id not in self._seen:
            raise StoreError(f"{MAX_PENDING} requests are waiting already; try again later")
        return self._create(f"{self._folder}/{request.id}/{_ASKED}", request.to_json())

    def resolve(self, request_id: str) -> bool:
        """Take a request back, before or after it came; returns False if that was done already."""
        return self._create(f"{self._folder}/{request_id}/{_RESOLVED}", b"{}\n")

    def pending(self, now: datetime) -> tuple[Request, ...]:
        """Return the requests that still wait, oldest first; the forgotten are removed."""
        keys = [key.split("/")[-2:] for key in self._objects.keys(self._folder)]
        resolved = {request_id for request_id, name in keys if name == _RESOLVED}
        asked = {request_id for request_id, name in keys if name == _ASKED}
        self._seen = {name: self._read(name) for name in sorted(asked)}
        waiting = []
        for request in self._seen.values():
            age = now - request.received
            if age > 2 * self._patience:
                self._forget(request.id)
            elif age <= self._patience and request.id not in resolved:
                waiting.append(request)
        return tuple(sorted(waiting, key=lambda request: (request.received, request.id)))

    def _read(self, request_id: str) -> Request:
        if request_id in self._seen:
            return self._seen[request_id]
        key = f"{self._folder}/{request_id}/{_ASKED}"
        return Request.from_json(self._objects.read(key), source=key)

    def _create(self, key: str, data: bytes) -> bool:
        try:
            self._objects.create(key, data)
        except ConflictError:
            return False
        return True

    def _forget(self, request_id: str) -> None:
        for name in (_ASKED, _RESOLVED):
            self._objects.delete(f"{self._folder}/{request_id}/{name}")
