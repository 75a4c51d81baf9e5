"""What a person has said is meant: inputs that changed because a client was upgraded.

A client that computes its windows otherwise than before pages once; where that was intended, a
person says so, and it goes on record. Nothing else is switched off by it.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from plumbline.bundle.record import Record
from plumbline.store.errors import ConflictError
from plumbline.store.objects import Objects
from plumbline.store.pointer import Generation, Pointer

_TRIES = 5


class Acceptance(Record):
    """Inputs that are as they are meant to be from now on."""

    version: str = Field(description="The bundle they are sent to.")
    time: datetime
    actor: str = Field(min_length=1)
    reason: str = Field(min_length=1)
    symbols: tuple[str, ...] = Field((), description="Whose rows; empty: everybody's.")
    clients: tuple[str, ...] = Field((), description="Of whom; empty: of everybody.")

    def covers(self, *, symbol: str, client: str) -> bool:
        """Whether it speaks of the rows of a symbol from a client."""
        of_symbol = not self.symbols or symbol in self.symbols
        return of_symbol and (not self.clients or client in self.clients)


class Acceptances:
    """The acceptances of one model, as generations under ``inputs/<model>/``.

    Parameters
    ----------
    objects, model
        The store, and whose.
    """

    def __init__(self, objects: Objects, model: str) -> None:
        self._pointer = Pointer(objects, f"inputs/{model}", Acceptance)
        self._known: list[Generation[Acceptance]] = []

    def since(self, version: str, *, after: int = 0) -> tuple[Generation[Acceptance], ...]:
        """Return the acceptances of a version with higher numbers than ``after``, oldest first.

        Cheap to call every round: the store is asked for what is new alone.

        Raises
        ------
        StoreError
            If the store failed.
        """
        self._known += self._pointer.since(self._known[-1].number if self._known else 0)
        return tuple(
            each for each in self._known if each.number > after and each.value.version == version
        )

    def accept(self, acceptance: Acceptance) -> Generation[Acceptance]:
        """Record one; it loses no race, since acceptances do not contradict each other.

        Raises
        ------
        StoreError
            If the store failed, or others were always first.
        """
        for _ in range(_TRIES - 1):
            try:
                return self._advance(acceptance)
            except ConflictError:
                continue
        return self._advance(acceptance)

    def history(self) -> list[Generation[Acceptance]]:
        """Return all of them, oldest first."""
        return self._pointer.history()

    def _advance(self, acceptance: Acceptance) -> Generation[Acceptance]:
        head = self._pointer.newest()
        return self._pointer.advance(acceptance, after=head.number if head else 0)
