"""Append-only pointers: the highest generation is the truth, the rest is history.

Promote, roll back, claim an incident and publish a verdict are all "create the next generation"; of
two writers who read the same newest generation, one creates it and the other is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from plumbline.bundle.record import Record
from plumbline.store.errors import ConflictError
from plumbline.store.objects import Objects

R = TypeVar("R", bound=Record)
_DIGITS = 20


@dataclass(frozen=True)
class Generation(Generic[R]):
    """A value and its place in the history, counted from 1."""

    number: int
    value: R


class Pointer(Generic[R]):
    """A named value that changes by generations.

    Parameters
    ----------
    objects
        The store.
    folder
        Where the generations lie, as ``<folder>/<generation>.json``.
    kind
        The record class of the value.
    """

    def __init__(self, objects: Objects, folder: str, kind: type[R]) -> None:
        self._objects = objects
        self._folder = folder
        self._kind = kind
        self._seen: Generation[R] | None = None

    def newest(self) -> Generation[R] | None:
        """Return the newest generation, or None before the first; lists only what is newer."""
        after = self._key(self._seen.number) if self._seen else None
        keys = self._objects.keys(self._folder, after=after)
        if keys:
            self._seen = self._read(keys[-1])
        return self._seen

    def history(self) -> list[Generation[R]]:
        """Return every generation, oldest first."""
        return [self._read(key) for key in self._objects.keys(self._folder)]

    def since(self, number: int) -> list[Generation[R]]:
        """Return the generations after ``number``, oldest first; lists no others."""
        after = self._key(number) if number else None
        return [self._read(key) for key in self._objects.keys(self._folder, after=after)]

    def advance(self, value: R, *, after: int) -> Generation[R]:
        """Create the generation that follows ``after`` (0 for the first).

        Raises
        ------
        ConflictError
            If somebody else created it since ``after`` was read.
        """
        number = after + 1
        try:
            self._objects.create(self._key(number), value.to_json())
        except ConflictError as error:
            raise ConflictError(
                f"{self._folder}: generation {number} was created by somebody else; "
                "read it and decide again"
            ) from error
        return Generation(number, value)

    def forget(self, *, before: int) -> None:
        """Delete the generations with numbers below ``before``; the newest always stays.

        For histories nobody needs. Whoever was slow enough to decide on a forgotten generation
        could create its successor anew: look at `newest` after `advance` where that matters.
        """
        for key in self._objects.keys(self._folder)[:-1]:
            if key < self._key(before):
                self._objects.delete(key)

    def _key(self, number: int) -> str:
        return f"{self._folder}/{number:0{_DIGITS}d}.json"

    def _read(self, key: str) -> Generation[R]:
        number = int(key.rsplit("/", 1)[-1].removesuffix(".json"))
        return Generation(number, self._kind.from_json(self._objects.read(key), source=key))
