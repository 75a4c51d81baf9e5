"""The status page says what there is, and lets nothing through as markup."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from markupsafe import escape

from plumbline.bundle.finding import Diagnosis, Finding, Level, Verdict
from plumbline.monitoring.page.holdings import Holdings, ReportLink
from plumbline.monitoring.page.status import (
    ChallengerState,
    EvidenceState,
    Measurement,
    Status,
    WatchState,
)
from plumbline.monitoring.page.text import ago
from plumbline.monitoring.page.view import Visit, render, render_live, tone
from plumbline.store.incident import EventKind, Incident, IncidentEvent, IncidentStatus

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOSTILE = "<img src=x onerror=alert(1)>"


def status(verdict: Verdict = Verdict.HEALTHY, text: str = "a cause") -> Status:
    """Return a status in which every text is the given one."""
    finding = Finding(
        name="spread", level=Level.FAIL, value=0.0, n=3, message=text, columns=(text,)
    )
    diagnosis = Diagnosis(verdict=verdict, cause=text, findings=(finding,), n=3)
    gain = EvidenceState(
        detector="gain",
        subject="output",
        log_e=15.0,
        threshold=13.8,
        alarmed=True,
        columns=(text,),
    )
    watch = WatchState(
        version="0123456789abcdef",
        generation=1,
        promoted=NOW - timedelta(minutes=3),
        promoted_by=text,
        reason=text,
        parent=None,
        actions=("SELL", text, "BUY"),
        reference_shares=(0.2, 0.6, 0.2),
        reference_spread=0.1,
        reference_rows=300,
        guaranteed=False,
        rows=3,
        diagnosis=diagnosis,
        since=NOW,
        evidence=(gain,),
        measured=Measurement(rows=3, time=NOW, findings=(finding,), evidence=(gain,)),
        points=(),
    )
    event = IncidentEvent(time=NOW, kind=EventKind.CALLED, detail=text)
    incident = Incident(
        id="abc",
        model="m",
        version="0123456789abcdef",
        verdict=verdict,
        status=IncidentStatus.CALLED,
        trigger=text,
        actor=text,
        opened=NOW,
        detected_after=7,
        diagnosis=diagnosis,
        events=(event,),
    )
    challenger = ChallengerState(
        version="fedcba9876543210",
        since=NOW - timedelta(minutes=1),
        put_by=text,
        reason=text,
        rows=150,
        silent=0,
        pairs=140,
        agreement=0.85,
        distance=0.125,
        diagnosis=diagnosis,
    )
    return Status(
        model=text,
        time=NOW,
        leads=False,
        error=text,
        watch=watch,
        challenger=challenger,
        incidents=(incident,),
        holdings=Holdings(
            reports=(
                ReportLink(name="20260101T000000000000Z-drift-00000000.html", kind=text, time=NOW),
            )
        ),
    )


def test_every_text_is_escaped():
    """Model names, symbols, features, actors and causes come from outside."""
    page = render(status(text=HOSTILE), Visit())

    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_is_shown_and_explained(verdict):
    """In words, with what it means and what is done about it."""
    page = render(status(verdict), Visit())

    assert verdict.value.replace("_", " ") in page
    for text in (verdict.facts.meaning, verdict.facts.remedy.carried_out, verdict.facts.doing):
        assert str(escape(text)) in page


def test_colour_never_speaks_alone():
    """Good, calm and bad verdicts differ in shape as well."""
    tones = {tone(status(verdict).watch) for verdict in Verdict}

    assert tones == {"well", "calm", "bad"}
    assert tone(None) == "calm"


def test_a_model_without_a_champion_is_waited_for():
    """The page says what to do."""
    page = render(Status(model="m", time=NOW, leads=True), Visit())

    assert "has no champion that can be watched" in page
    assert "Train and promote one" in page


def test_the_version_in_shadow_is_shown_while_there_is_one():
    """With its verdict, its rows, and how far it agrees with the champion."""
    shown = render(status(Verdict.FLAT), Visit())
    alone = render(status().model_copy(update={"challenger": None}), Visit())

    for text in ("In shadow", "fedcba9876543210", "85% of 140", "0.125", "150"):
        assert text in shown
    assert "In shadow" not in alone


def test_an_incident_that_has_ended_says_where_the_time_went_and_links_its_logs():
    """Those of its own jobs alone."""
    shown = status()
    times = {"opened": NOW - timedelta(seconds=4), "closed": NOW + timedelta(seconds=30)}
    ended = shown.incidents[0].model_copy(update=times)
    holdings = shown.holdings.model_copy(update={"job_logs": ("abc-1", "abcd-1", "abc-2")})
    page = render(shown.model_copy(update={"incidents": (ended,), "holdings": holdings}), Visit())

    assert "It took 34.0 s: deciding 4.0 s of 2, awaiting 30.0 s. Over budget: deciding." in page
    assert '<a href="logs/abc-1">The end of the log of attempt 1</a>' in page
    assert '<a href="logs/abc-2">' in page
    assert "abcd-1" not in page
    assert "It took" not in render(shown, Visit())


def test_the_page_loads_nothing_from_elsewhere():
    """No address but its own."""
    page = render(status(), Visit())

    assert "http://" not in page
    assert "https://" not in page


def test_the_live_part_is_the_page_without_its_frame():
    """It is what the page fetches every second."""
    assert render_live(status(), Visit()) in render(status(), Visit())


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0 s ago"), (59, "59 s ago"), (61, "1 min ago"), (7200, "2 h ago"), (90000, "1 d ago")],
)
def test_ages_are_in_one_unit(seconds, text):
    """The largest that fits."""
    assert ago(NOW - timedelta(seconds=seconds), NOW) == text
