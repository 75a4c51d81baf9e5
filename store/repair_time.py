"""Where the time of an incident went: deciding, training, in shadow, watching what was promoted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum

from plumbline.bundle.record import Record
from plumbline.store.incident import EventKind, Incident


class Phase(StrEnum):
    """What was being done."""

    DECIDING = "deciding"
    TRAINING = "training"
    """A retrain or a refit, and its gate."""
    SHADOWING = "shadowing"
    WATCHING = "watching"
    """The promoted version answers and is not yet found well."""


_BEGINS = {
    EventKind.RETRAIN_STARTED: Phase.TRAINING,
    EventKind.RECALIBRATION_STARTED: Phase.TRAINING,
    EventKind.ATTEMPT_FAILED: Phase.DECIDING,
    EventKind.CANDIDATE_REFUSED: Phase.DECIDING,
    EventKind.SHADOW_STARTED: Phase.SHADOWING,
    EventKind.PROMOTED: Phase.WATCHING,
    EventKind.ROLLED_BACK: Phase.WATCHING,
}
"""Events that begin a phase; all others leave it as it is."""


class RepairTime(Record):
    """Seconds from an incident's opening to its end, by what was done meanwhile.

    An incident that has not ended is told up to its last event.
    """

    deciding: float = 0.0
    training: float = 0.0
    shadowing: float = 0.0
    watching: float = 0.0

    @property
    def total(self) -> float:
        """Seconds in all."""
        return self.deciding + self.training + self.shadowing + self.watching


def repair_time(incident: Incident) -> RepairTime:
    """Return where an incident's time went."""
    spent = dict.fromkeys(Phase, timedelta())
    for phase, length in _stretches(incident):
        spent[phase] += length
    return RepairTime(**{phase.value: length.total_seconds() for phase, length in spent.items()})


def _stretches(incident: Incident) -> Iterator[tuple[Phase, timedelta]]:
    """Yield what was done between each two events; a clock that was set back counts as none."""
    phase, since = Phase.DECIDING, incident.opened
    for event in incident.events:
        yield phase, max(event.time - since, timedelta())
        phase, since = _BEGINS.get(event.kind, phase), max(since, event.time)
    if incident.closed is not None:
        yield phase, max(incident.closed - since, timedelta())
