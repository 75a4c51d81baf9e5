"""What people are told of, and which moves of an incident are such an occasion."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

from plumbline.store.incident import EventKind, Incident, IncidentEvent


class Occasion(StrEnum):
    """What people are told of, the weightiest first."""

    CALLED = "called"
    ENDED = "ended"
    OPENED = "opened"
    PROMOTED = "promoted"
    REFUSED = "refused"
    RETRAIN = "retrain"
    TEST = "test"
    """What `plumbline notify --test` sends; nothing of an incident."""


CHOICES = tuple(each for each in Occasion if each is not Occasion.TEST)

_OF = {
    EventKind.CALLED: Occasion.CALLED,
    EventKind.PROMOTED: Occasion.PROMOTED,
    EventKind.ROLLED_BACK: Occasion.PROMOTED,
    EventKind.CANDIDATE_REFUSED: Occasion.REFUSED,
    EventKind.ATTEMPT_FAILED: Occasion.REFUSED,
    EventKind.RETRAIN_STARTED: Occasion.RETRAIN,
    EventKind.RECALIBRATION_STARTED: Occasion.RETRAIN,
}


@dataclass(frozen=True)
class Turn:
    """One move of an incident, of which people are told once.

    Attributes
    ----------
    number
        Of its first event in the timeline, which never changes.
    occasion
        The weightiest of what they want to hear of.
    events
        All of the move.
    """

    number: int
    occasion: Occasion
    events: tuple[IncidentEvent, ...]


def turns(incident: Incident, wanted: Collection[Occasion]) -> Iterator[Turn]:
    """Yield what is to be told of an incident, oldest first.

    Events of one moment were recorded in one move: a call that ends an incident is one message.
    """
    number = 0
    for _, group in groupby(incident.events, key=lambda event: event.time):
        events = tuple(group)
        last = number + len(events) == len(incident.events)
        told = {_OF[event.kind] for event in events if event.kind in _OF}
        if number == 0:
            told.add(Occasion.OPENED)
        if last and incident.ended:
            told.add(Occasion.ENDED)
        weightiest = next((each for each in CHOICES if each in told and each in wanted), None)
        if weightiest is not None:
            yield Turn(number, weightiest, events)
        number += len(events)
