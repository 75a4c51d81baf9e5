"""Claims: a job that several machines may run is run by one of them.

A claim is a pointer. Its holder creates a generation now and then as a sign of life, and a last one
with what came of the job. Whoever finds that no new generation comes may create the next one in its
place; from then on the former holder can create none, however late it wakes up: a result that is
not the claim's is nobody's. No clock is compared with another.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field, JsonValue

from plumbline.bundle.record import Record
from plumbline.store.errors import ConflictError
from plumbline.store.objects import Objects
from plumbline.store.pointer import Generation, Pointer

_FOLDER = "claims"


class ClaimState(StrEnum):
    """Where a claimed job stands."""

    HELD = "held"
    RELEASED = "released"
    """Given up, or taken away: anybody may begin it again."""
    ENDED = "ended"


class Claim(Record):
    """Who runs a job, and what came of it."""

    holder: str = Field(description="Unlike any other's: process, host, and a random part.")
    state: ClaimState = ClaimState.HELD
    document: dict[str, JsonValue] | None = Field(None, description="What it printed, once ended.")
    detail: str = Field("", description="Why there is no document.")


def claim_of(objects: Objects, model: str, key: str) -> Pointer[Claim]:
    """Return the claim of the job with a key."""
    return Pointer(objects, f"{_FOLDER}/{model}/{key}", Claim)


def claimed_keys(objects: Objects, model: str) -> list[str]:
    """Return the keys of all jobs that have been claimed and not forgotten."""
    return sorted({key.split("/")[-2] for key in objects.keys(f"{_FOLDER}/{model}")})


def forget_claim(objects: Objects, model: str, key: str) -> None:
    """Remove a claim; for a job that nobody will ask about again."""
    for each in objects.keys(f"{_FOLDER}/{model}/{key}"):
        objects.delete(each)


class Hold:
    """A claim as its holder has it.

    Parameters
    ----------
    pointer
        Of the claim.
    holder
        Who holds it.
    number
        The generation by which it took it.
    """

    def __init__(self, pointer: Pointer[Claim], holder: str, number: int) -> None:
        self._pointer = pointer
        self._number = number
        self.holder = holder

    def through(self, pointer: Pointer[Claim]) -> Hold:
        """Return this hold as it is by another way to the same claim."""
        return Hold(pointer, self.holder, self._number)

    def beat(self) -> bool:
        """Give a sign of life; returns whether it still holds the claim."""
        return self._advance(Claim(holder=self.holder))

    def release(self) -> bool:
        """Give it up; returns whether it still held it."""
        return self._advance(Claim(holder=self.holder, state=ClaimState.RELEASED))

    def end(self, document: dict[str, JsonValue] | None, detail: str = "") -> bool:
        """Say what came of the job; returns whether it still held the claim: else it is not so."""
        ended = ClaimState.ENDED
        return self._advance(
            Claim(holder=self.holder, state=ended, document=document, detail=detail)
        )

    def _advance(self, claim: Claim) -> bool:
        """Create the next generation; one whose creation nobody confirmed is found to be ours."""
        while True:
            try:
                self._number = self._pointer.advance(claim, after=self._number).number
            except ConflictError:
                head = self._pointer.newest()
                if head is None or not self._ours(head):
                    return head is not None and head.value == claim
                self._number = head.number
            else:
                return True

    def _ours(self, head: Generation[Claim]) -> bool:
        return head.value.holder == self.holder and head.value.state is ClaimState.HELD
