"""What happens next, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from plumbline.bundle.finding import Diagnosis, Verdict
from plumbline.monitoring.page.ahead import Prospect, look_ahead
from plumbline.monitoring.settings import MonitoringSettings
from plumbline.store.incident import Incident, IncidentStatus

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def prospect(**more: object) -> Prospect:
    """Return what a quiet monitor sees, at a prediction every two seconds."""
    settings = MonitoringSettings.load(None, **more.pop("settings", {}))
    given = {"rows": 300, "next_look": 50, "seconds_a_row": 2.0, **more}
    return Prospect(now=NOW, settings=settings, **given)


def incident(status: IncidentStatus, *, attempts: int = 1) -> Incident:
    """Return one that was opened a minute ago."""
    return Incident(
        id="0" * 16,
        model="m",
        version="0123456789abcdef",
        verdict=Verdict.FLAT,
        status=status,
        trigger="verdict",
        actor="verdict",
        opened=NOW - timedelta(minutes=1),
        detected_after=20,
        attempts=attempts,
        candidate="fedcba9876543210",
        diagnosis=Diagnosis(verdict=Verdict.FLAT, cause="c", n=20),
    )


def test_the_next_look_has_its_time_at_the_present_pace():
    """In predictions, and on the clock where there is a pace."""
    (look,) = look_ahead(prospect())

    assert look.when == NOW + timedelta(seconds=100)
    assert "50 more predictions" in look.waits
    assert look_ahead(prospect(seconds_a_row=None))[0].when is None


def test_the_schedule_says_how_many_predictions_are_left():
    """The period is counted from the promotion."""
    settings = {"schedule_predictions": 1_000}
    (scheduled,) = look_ahead(prospect(settings=settings, rows=2_300, next_look=None))

    assert "700 more predictions" in scheduled.waits
    assert scheduled.when == NOW + timedelta(seconds=1_400)


def test_the_schedule_by_bars_is_told_too():
    """However many symbols ask about a bar; at the pace at which bars have come."""
    settings = {"schedule_bars": 24, "schedule_predictions": 1_000}
    some = {"settings": settings, "rows": 300, "next_look": None}
    bars, predictions = look_ahead(prospect(**some, bars=30))

    assert "18 more bars" in bars.waits
    assert bars.when == NOW + timedelta(seconds=18 * 10 * 2)
    assert "700 more predictions" in predictions.waits
    assert [each.when for each in look_ahead(prospect(**some)) if "bars" in each.waits] == [None]
    off = {**settings, "triggers": ("verdict",)}
    assert look_ahead(prospect(**{**some, "settings": off}, bars=30)) == ()


def test_that_nothing_more_is_tried_is_told():
    """Until a person promotes another version."""
    left = incident(IncidentStatus.CALLED)
    (said,) = look_ahead(prospect(next_look=None, given_up=left))

    assert said.what == "Nothing more is tried on this version"
    assert (said.when, said.incident) == (None, left.id)


def test_the_cool_down_is_told_while_it_lasts():
    """And not a second longer."""
    settings = {"cooldown_seconds": 600.0}
    some = {"settings": settings, "next_look": None}
    soon, over = NOW - timedelta(seconds=100), NOW - timedelta(seconds=601)

    assert look_ahead(prospect(**some, last_retrain=soon))[0].when == NOW + timedelta(seconds=500)
    assert look_ahead(prospect(**some, last_retrain=over)) == ()


@pytest.mark.parametrize(
    ("status", "said", "seconds"),
    [
        (IncidentStatus.RETRAINING, "attempt 1 of 2", 840),
        (IncidentStatus.SHADOWING, "120 of 200 answers", 840),
        (IncidentStatus.WATCHING, "30 of 50 predictions", 40),
        (IncidentStatus.OPEN, "1 attempts left", None),
        (IncidentStatus.CALLED, "inputs are sound", None),
    ],
)
def test_every_open_incident_has_its_next_step_first(status, said, seconds):
    """With its end at the latest, and what is left of it."""
    settings = {"shadow_rows": 200, "recovery_rows": 50}
    seen = prospect(settings=settings, rows=30, shadow_rows=120, incidents=(incident(status),))
    first = look_ahead(seen)[0]

    assert said in first.waits
    assert first.when == (None if seconds is None else NOW + timedelta(seconds=seconds))


def test_what_goes_by_the_clock_comes_the_soonest_first():
    """And never lies in the past."""
    due = {"b": NOW + timedelta(seconds=9), "a": NOW - timedelta(seconds=9)}
    found = look_ahead(prospect(next_look=None, due=due))

    assert [(item.what, item.when) for item in found] == [("a", NOW), ("b", due["b"])]
