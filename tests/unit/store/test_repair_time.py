"""Where the time of an incident went."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from plumbline.bundle.finding import Diagnosis, Verdict
from plumbline.store.incident import (
    EventKind,
    Incident,
    IncidentEvent,
    IncidentStatus,
    Milestone,
    milestones,
)
from plumbline.store.repair_time import BUDGETS, MINUTE, Stage, repair_time

OPENED = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
EVENTS = (
    (0.0, EventKind.ALARMED),
    (0.5, EventKind.RETRAIN_STARTED),
    (31.0, EventKind.SHADOW_STARTED),
    (40.0, EventKind.PROMOTED),
    (48.0, EventKind.RECOVERED),
)
REACHED = (
    (-7.0, Milestone.ONSET),
    (-3.0, Milestone.DECIDED),
    (20.5, Milestone.LEARNT),
    (30.5, Milestone.JUDGED),
    (41.5, Milestone.SERVED),
)


def after(seconds: float) -> datetime:
    """Return a moment of the incident."""
    return OPENED + timedelta(seconds=seconds)


def incident(events=EVENTS, reached=REACHED) -> Incident:
    """Return one that ended with its last event."""
    return Incident(
        id="aaaa111122223333",
        model="eurusd-1h",
        version="0123456789abcdef",
        verdict=Verdict.FLAT,
        status=IncidentStatus.RESOLVED,
        trigger="verdict",
        actor="verdict",
        opened=OPENED,
        closed=after(events[-1][0]),
        detected_after=60,
        attempts=1,
        diagnosis=Diagnosis(verdict=Verdict.FLAT, cause="The outputs do not vary.", n=60),
        events=tuple(
            IncidentEvent(time=after(seconds), kind=kind, detail="") for seconds, kind in events
        ),
        milestones=milestones(*((what, after(seconds)) for seconds, what in reached)),
    )


def test_every_stage_is_charged_from_what_begins_it() -> None:
    """From the first row of the fault to the end, and nothing twice."""
    spent = repair_time(incident())

    assert {line.stage: line.seconds for line in spent.lines} == {
        Stage.DETECTING: 4.0,
        Stage.NOTICING: 3.0,
        Stage.DECIDING: 0.5 + 0.5,
        Stage.TRAINING: 20.0,
        Stage.JUDGING: 10.0,
        Stage.SHADOWING: 9.0,
        Stage.SWAPPING: 1.5,
        Stage.WATCHING: 6.5,
        Stage.AWAITING: 0.0,
    }
    assert spent.total == 55.0
    assert spent.budgeted == 35.0
    assert spent.over == ()


def test_a_stage_that_takes_longer_than_it_may_is_named() -> None:
    """Learning never is: it takes as long as a model takes."""
    slow = ((*EVENTS[:2], (331.0, EventKind.SHADOW_STARTED), (348.0, EventKind.PROMOTED)), ())

    assert repair_time(incident(*slow)).over == (Stage.SHADOWING,)


def test_the_budgets_are_a_minute() -> None:
    """Of all but learning, and what a person takes."""
    assert MINUTE == 60.0
    assert [stage for stage, seconds in BUDGETS.items() if seconds is None] == [
        Stage.TRAINING,
        Stage.AWAITING,
    ]
    assert set(BUDGETS) == set(Stage)


def test_what_a_person_takes_is_nobodys_budget() -> None:
    """The feed was broken for an hour: the loop decided at once."""
    spent = repair_time(
        incident(
            ((0.0, EventKind.ALARMED), (0.1, EventKind.CALLED), (3_600.0, EventKind.RECOVERED)),
            REACHED[:2],
        )
    )

    assert (spent.deciding, spent.awaiting) == (0.1, 3_599.9)
    assert spent.over == ()
    assert spent.budgeted == pytest.approx(7.1)


@pytest.mark.parametrize("skew", [-30.0, 30.0])
def test_a_service_whose_clock_is_wrong_costs_no_stage_its_time(skew: float) -> None:
    """What the rows say is kept on its side of the opening and of the promotion."""
    rows = (Milestone.ONSET, Milestone.DECIDED, Milestone.SERVED)
    reached = [(s + skew * (what in rows), what) for s, what in REACHED]
    spent = repair_time(incident(reached=reached))

    assert spent.training == 20.0
    assert spent.deciding == 1.0
    assert spent.shadowing == 9.0
    assert spent.swapping + spent.watching == 8.0


def test_nobody_saw_the_swap_of_a_model_that_was_asked_nothing() -> None:
    """Then all that follows the promotion is watching."""
    spent = repair_time(incident(reached=REACHED[:-1]))

    assert (spent.swapping, spent.watching) == (0.0, 8.0)
