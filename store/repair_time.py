"""Where the time of an incident went, stage by stage, and what each may take.

An incident's events and milestones each begin a stage; what is between two of them is that stage's.
The budgets together are a minute; learning a new model comes on top and has none, nor has a person
who was called.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from plumbline.bundle.record import Record
from plumbline.store.incident import EventKind, Incident, Milestone


class Stage(StrEnum):
    """What was being done, in order."""

    DETECTING = "detecting"
    """Rows of the fault are answered, too few to name it."""
    NOTICING = "noticing"
    """The row that decides has been answered and is on its way: shipped, settled, read, judged."""
    DECIDING = "deciding"
    """An incident is open and nothing runs: before a launch, between an end and what follows."""
    TRAINING = "training"
    """A retrain or a refit, until its gate."""
    JUDGING = "judging"
    """The gate; the bundle is written, and the job ends."""
    SHADOWING = "shadowing"
    SWAPPING = "swapping"
    """Promoted, and not yet every answer is the new version's."""
    WATCHING = "watching"
    """Every answer is the new version's, which is not yet found well."""
    AWAITING = "awaiting"
    """A person was called, and what it was about is not over."""


BUDGETS: Mapping[Stage, float | None] = {
    Stage.DETECTING: 12.0,
    Stage.NOTICING: 6.0,
    Stage.DECIDING: 2.0,
    Stage.TRAINING: None,
    Stage.JUDGING: 12.0,
    Stage.SHADOWING: 14.0,
    Stage.SWAPPING: 4.0,
    Stage.WATCHING: 10.0,
    Stage.AWAITING: None,
}
"""Seconds of each stage, for one attempt and a model that is asked fifty times a second."""

MINUTE = sum(seconds for seconds in BUDGETS.values() if seconds is not None)
"""Seconds that all stages with a budget may take together."""

_BEGINS: Mapping[EventKind | Milestone, Stage] = {
    Milestone.ONSET: Stage.DETECTING,
    Milestone.DECIDED: Stage.NOTICING,
    EventKind.RETRAIN_STARTED: Stage.TRAINING,
    EventKind.RECALIBRATION_STARTED: Stage.TRAINING,
    Milestone.LEARNT: Stage.JUDGING,
    Milestone.JUDGED: Stage.DECIDING,
    EventKind.ATTEMPT_FAILED: Stage.DECIDING,
    EventKind.CANDIDATE_REFUSED: Stage.DECIDING,
    EventKind.SHADOW_STARTED: Stage.SHADOWING,
    EventKind.PROMOTED: Stage.SWAPPING,
    EventKind.ROLLED_BACK: Stage.SWAPPING,
    Milestone.SERVED: Stage.WATCHING,
    EventKind.CALLED: Stage.AWAITING,
}
"""What begins a stage; all other events leave it as it is."""

_SWAPS = frozenset({EventKind.PROMOTED, EventKind.ROLLED_BACK})


class StageLine(NamedTuple):
    """How many seconds one stage took, and how many it may."""

    stage: Stage
    seconds: float
    budget: float | None

    @property
    def over(self) -> bool:
        """Whether it took longer than it may."""
        return self.budget is not None and self.seconds > self.budget

    @property
    def said(self) -> str:
        """In words: ``shadowing 7.0 s of 14``."""
        allowed = "" if self.budget is None else f" of {self.budget:.0f}"
        return f"{self.stage} {self.seconds:.1f} s{allowed}"


class RepairTime(Record):
    """Seconds from a fault's first row to an incident's end, by what was done meanwhile.

    Where no row tells the onset, from the opening; of an incident that has not ended, up to its
    last event.
    """

    detecting: float = 0.0
    noticing: float = 0.0
    deciding: float = 0.0
    training: float = 0.0
    judging: float = 0.0
    shadowing: float = 0.0
    swapping: float = 0.0
    watching: float = 0.0
    awaiting: float = 0.0

    @property
    def lines(self) -> tuple[StageLine, ...]:
        """Every stage in order."""
        return tuple(StageLine(each, getattr(self, each), BUDGETS[each]) for each in Stage)

    @property
    def total(self) -> float:
        """Seconds in all."""
        return sum(line.seconds for line in self.lines)

    @property
    def budgeted(self) -> float:
        """Seconds of the stages that have a budget: all but learning and what a person takes."""
        return sum(line.seconds for line in self.lines if line.budget is not None)

    @property
    def over(self) -> tuple[Stage, ...]:
        """The stages that took longer than they may."""
        return tuple(line.stage for line in self.lines if line.over)


def repair_time(incident: Incident) -> RepairTime:
    """Return where an incident's time went."""
    spent = dict.fromkeys(Stage, timedelta())
    for stage, length in _stretches(incident):
        spent[stage] += length
    return RepairTime(**{stage.value: length.total_seconds() for stage, length in spent.items()})


def _stretches(incident: Incident) -> Iterator[tuple[Stage, timedelta]]:
    """Yield what was done between each two points; a clock that was set back counts as none."""
    points = list(_points(incident))
    stage, since = Stage.DECIDING, min([incident.opened, *(time for time, _ in points)])
    for time, begins in sorted(points, key=lambda point: point[0]):
        yield stage, time - since
        stage, since = begins or stage, time
    if incident.closed is not None:
        yield stage, max(incident.closed - since, timedelta())


def _points(incident: Incident) -> Iterator[tuple[datetime, Stage | None]]:
    """Yield when something happened or was reached, and the stage that it begins.

    Rows carry the time of who answered them: what they tell is kept on its side of the events.
    """
    opened = incident.opened
    promoted = max((e.time for e in incident.events if e.kind in _SWAPS), default=None)
    served = False
    for reached in incident.milestones:
        time = reached.time
        if reached.milestone in (Milestone.ONSET, Milestone.DECIDED):
            time = min(time, opened)
        if reached.milestone is Milestone.SERVED and promoted is not None:
            time, served = min(max(time, promoted), incident.closed or time), True
        yield time, _BEGINS[reached.milestone]
    yield opened, Stage.DECIDING
    for event in incident.events:
        begins = _BEGINS.get(event.kind)
        if event.kind in _SWAPS and not served:
            begins = Stage.WATCHING  # nobody saw the old version's last answer
        yield max(event.time, opened), begins
