"""Which messages about an incident people were sent, so that no monitor sends one again.

A pointer for each message, ``deliveries/<model>/<incident>/<message>/<generation>.json``. Whoever
is about to send one claims it by creating the next generation, which one writer can. One that dies
between the receiver's answer and its note leaves a claim that ends, and the message is sent again.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from plumbline.bundle.record import Record
from plumbline.store.objects import Objects
from plumbline.store.pointer import Generation, Pointer


class DeliveryStatus(StrEnum):
    """How a message fares; the last two are final."""

    SENDING = "sending"
    FAILED = "failed"
    SENT = "sent"
    GIVEN_UP = "given_up"


class Delivery(Record):
    """How one message fares."""

    incident: str
    message: str = Field(description="Its number: that of the event it begins with.")
    occasion: str = Field(description="What it is about.")
    status: DeliveryStatus
    attempts: int = Field(ge=1)
    time: datetime = Field(description="Since when this is so.")
    due: datetime | None = Field(
        None, description="When a claim ends, or a failed one is tried again."
    )
    receiver: str = Field(description="The host it goes to; the address may be a secret.")
    detail: str = Field("", description="What the receiver said, or why it could not be asked.")

    @property
    def final(self) -> bool:
        """Whether nothing more is done about it."""
        return self.status in (DeliveryStatus.SENT, DeliveryStatus.GIVEN_UP)


class Deliveries:
    """The deliveries of one model.

    Parameters
    ----------
    objects, model
        The store, and whose.
    """

    def __init__(self, objects: Objects, model: str) -> None:
        self._objects = objects
        self._folder = f"deliveries/{model}"

    def newest(self, incident: str, message: str) -> Generation[Delivery] | None:
        """Return how a message fares; None if nobody has tried to send it."""
        return self._pointer(incident, message).newest()

    def advance(self, delivery: Delivery, *, after: int) -> Generation[Delivery]:
        """Record the next state; `ConflictError` tells the loser of a race to look again."""
        pointer = self._pointer(delivery.incident, delivery.message)
        return pointer.advance(delivery, after=after)

    def of(self, incident: str) -> list[Delivery]:
        """Return how the messages about an incident fare, in order."""
        names = self._objects.folders(f"{self._folder}/{incident}")
        heads = [self.newest(incident, name) for name in sorted(names, key=int)]
        return [head.value for head in heads if head is not None]

    def _pointer(self, incident: str, message: str) -> Pointer[Delivery]:
        return Pointer(self._objects, f"{self._folder}/{incident}/{message}", Delivery)
