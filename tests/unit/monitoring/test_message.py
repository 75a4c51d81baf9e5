"""What people are told: in the page's words, once for each move, in a form nobody can abuse."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from plumbline.bundle.finding import Diagnosis, Finding, Level, Verdict
from plumbline.monitoring.errors import SettingsError
from plumbline.monitoring.notification.body import event, slack
from plumbline.monitoring.notification.message import Message, compose, trial
from plumbline.monitoring.notification.occasion import CHOICES, Occasion, turns
from plumbline.monitoring.page.ahead import Prospect, look_ahead
from plumbline.monitoring.page.status import Status
from plumbline.monitoring.page.view import Visit, render
from plumbline.monitoring.settings import MonitoringSettings
from plumbline.store.incident import EventKind, Incident, IncidentEvent, IncidentStatus
from plumbline.store.report import Report

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SETTINGS = MonitoringSettings.load(
    None, store="memory://messages", page_url="https://watch.example/eur/"
)


def incident(
    *moves: tuple[EventKind, ...],
    status: IncidentStatus = IncidentStatus.RETRAINING,
    ended: bool = False,
    verdict: Verdict = Verdict.FLAT,
    text: str = "it is so",
) -> Incident:
    """Return one whose moves lie a second apart."""
    events = tuple(
        IncidentEvent(time=NOW + timedelta(seconds=second), kind=kind, detail=text)
        for second, kinds in enumerate(moves)
        for kind in kinds
    )
    findings = (
        Finding(name="psi", level=Level.WARN, value=1.0, n=9, message=f"columns: {text}"),
        Finding(name="spread", level=Level.FAIL, value=0.0, n=9, message=f"spread: {text}"),
        Finding(name="shares", level=Level.PASS, value=0.0, n=9, message="all is well"),
    )
    return Incident(
        id="0123456789abcdef",
        model="eurusd-1h",
        version="fedcba9876543210",
        verdict=verdict,
        status=status,
        trigger="verdict",
        actor="verdict",
        opened=NOW,
        closed=NOW + timedelta(seconds=len(moves)) if ended else None,
        detected_after=20,
        attempts=1,
        diagnosis=Diagnosis(verdict=verdict, cause=f"because {text}", findings=findings, n=9),
        events=events,
    )


OPENING = (EventKind.ALARMED, EventKind.DIAGNOSED)
ROAD = (
    OPENING,
    (EventKind.RETRAIN_STARTED,),
    (EventKind.CANDIDATE_REFUSED,),
    (EventKind.RETRAIN_STARTED,),
    (EventKind.SHADOW_STARTED,),
    (EventKind.PROMOTED,),
    (EventKind.RECOVERED,),
)


def told(one: Incident, number: int = 0, **more: object) -> Message:
    """Return one of its messages, as the page of the same moment would have it."""
    prospect = Prospect(
        now=NOW,
        settings=SETTINGS,
        rows=10,
        next_look=None,
        seconds_a_row=None,
        incidents=() if one.ended else (one,),
        given_up=one if one.ended and one.status is IncidentStatus.CALLED else None,
    )
    turn = list(turns(one, CHOICES))[number]
    return compose(one, turn, SETTINGS, ahead=look_ahead(prospect), now=NOW, **more)


def test_each_move_is_one_occasion():
    """In the order they happened, numbered by their first event; what nobody wants is left out."""
    one = incident(*ROAD, status=IncidentStatus.RESOLVED, ended=True)

    assert [(turn.number, turn.occasion.value) for turn in turns(one, CHOICES)] == [
        (0, "opened"),
        (2, "retrain"),
        (3, "refused"),
        (4, "retrain"),
        (6, "promoted"),
        (7, "ended"),
    ]
    assert [turn.number for turn in turns(one, SETTINGS.notify_on)] == [0, 7]


def test_a_call_that_ends_an_incident_is_one_message():
    """The weightiest of what happened at once names it; a lesser one, where only that is wanted."""
    last = (EventKind.CANDIDATE_REFUSED, EventKind.CALLED)
    one = incident(OPENING, last, status=IncidentStatus.CALLED, ended=True)

    assert [turn.occasion for turn in turns(one, CHOICES)] == [Occasion.OPENED, Occasion.CALLED]
    assert [turn.occasion for turn in turns(one, {Occasion.REFUSED})] == [Occasion.REFUSED]
    assert [t.occasion for t in turns(incident((*OPENING, EventKind.CALLED)), CHOICES)] == [
        Occasion.CALLED
    ]


def test_what_was_told_stays_told_as_the_incident_goes_on():
    """The numbers of earlier moves never change."""
    for length in range(1, len(ROAD)):
        before = [turn.number for turn in turns(incident(*ROAD[:length]), CHOICES)]
        after = [turn.number for turn in turns(incident(*ROAD), CHOICES)]

        assert after[: len(before)] == before


def test_a_message_has_the_words_of_the_page():
    """Meaning, cause, timeline and what happens next stand on the page of the same moment."""
    one = incident(*ROAD[:2])
    message = told(one, 1)
    prospect = Prospect(
        now=NOW, settings=SETTINGS, rows=10, next_look=None, seconds_a_row=None, incidents=(one,)
    )
    ahead = look_ahead(prospect)
    page = render(
        Status(model="eurusd-1h", time=NOW, leads=True, incidents=(one,), ahead=ahead), Visit()
    )

    facts = Verdict.FLAT.facts
    assert message.meaning == f"{facts.meaning} {facts.remedy.carried_out} {facts.doing}"
    assert message.cause == one.diagnosis.cause
    assert message.evidence == ("spread: it is so", "columns: it is so")
    assert message.ahead == (ahead[0].sentence(NOW),)
    assert message.ahead[0].startswith("The retrain ends, or is killed in 15 min (at the latest; ")
    for text in ("The retrain ends, or is killed", "in 15 min", "attempt 1 of 2", "+1.0 s"):
        assert text in page
    assert message.happened == ("+1.0 s retrain started: it is so",)
    assert "it is so" in page
    assert f'id="incident-{one.id}"' in page
    assert message.page == f"https://watch.example/eur/#incident-{one.id}"


def test_links_lead_to_the_report_and_the_runbook():
    """To the newest report where there is one, else to all; to the alert that tells the same."""
    report = Report("reports/m/20260101T120000000000Z-drift-00000000.html", NOW, "drift")
    gone = incident(OPENING, (EventKind.CALLED,), status=IncidentStatus.CALLED, ended=True)
    healthy = incident(OPENING, verdict=Verdict.HEALTHY)

    assert told(incident(OPENING)).report == "https://watch.example/eur/reports"
    assert told(incident(OPENING), report=report).report.endswith("/reports/" + report.name)
    assert told(incident(OPENING)).runbook.endswith("/docs/runbooks/CollapseEvidence.md")
    assert told(gone, 1).runbook.endswith("/docs/runbooks/RetrainExhausted.md")
    assert told(healthy).runbook == ""


def test_what_is_over_is_not_explained_as_if_it_were_not():
    """A given-up version asks for a person, and a resolved incident for nobody."""
    called = incident(OPENING, (EventKind.CALLED,), status=IncidentStatus.CALLED, ended=True)
    resolved = incident(*ROAD, status=IncidentStatus.RESOLVED, ended=True)

    assert "is retrained" not in told(called, 1).meaning
    assert "nothing more is tried on this version" in told(called, 1).meaning
    assert "until a person promotes another" in told(called, 1).ahead[0]
    assert told(resolved, -1).meaning == ""
    assert told(resolved, -1).headline == "eurusd-1h: flat; the incident is resolved"
    assert told(resolved, -1).ahead == (
        "Nothing is under way. The monitor looks at new predictions as they come.",
    )


@pytest.mark.parametrize("occasion", CHOICES)
def test_every_occasion_has_its_headline(occasion):
    """No two sound the same."""
    one = incident(*ROAD, status=IncidentStatus.RESOLVED, ended=True)
    called = incident((*OPENING, EventKind.CALLED), status=IncidentStatus.CALLED)
    lines = {
        turn.occasion: compose(each, turn, SETTINGS, ahead=(), now=NOW).headline
        for each in (one, called)
        for turn in turns(each, CHOICES)
    }

    assert len(set(lines.values())) == len(CHOICES)
    assert lines[occasion].startswith("eurusd-1h: flat; ")


def test_slack_gets_text_that_mentions_nobody():
    """Names and causes come from outside: a mention or a link in them is plain text."""
    text = json.loads(slack(told(incident(OPENING, text="<!channel> & <http://evil|x>\n*b*"))))
    body = text["text"]

    assert set(text) == {"text"}
    assert "<!channel>" not in body
    assert "<http://evil" not in body
    assert "&lt;!channel&gt; &amp; &lt;http://evil|x&gt; *b*" in body
    assert f"<https://watch.example/eur/#incident-{'0123456789abcdef'}|status page>" in body
    assert "*What happens next*\n• The retrain ends" in body
    assert body.startswith("*eurusd-1h: flat; an incident was opened, after 20 predictions")


def test_later_messages_are_short():
    """Why it happened was told at the beginning; a version that is replaced asks for nothing."""
    one = incident(*ROAD, status=IncidentStatus.WATCHING)
    first, promoted = told(one), told(one, -1)
    opening, later = json.loads(slack(first))["text"], json.loads(slack(promoted))["text"]

    assert promoted.occasion is Occasion.PROMOTED
    assert "*Evidence*\n• spread: it is so\n• columns: it is so" in opening
    assert "*Evidence*" not in later
    assert promoted.meaning == ""
    assert promoted.evidence == first.evidence


def test_a_long_text_is_cut():
    """Slack refuses what is longer than it likes."""
    body = json.loads(slack(told(incident(OPENING, text="x" * 90_000))))["text"]

    assert len(body) < 10_000
    assert "…" in body


def test_an_event_is_typed_and_comes_back():
    """What `json` sends is a whole message, with the number of its format."""
    message = told(incident(OPENING))
    sent = json.loads(event(message))

    assert Message.from_json(event(message)) == message
    assert sent["format"] == 1
    assert (sent["model"], sent["verdict"], sent["occasion"]) == ("eurusd-1h", "flat", "opened")
    assert sent["id"] == "0123456789abcdef-0"


def test_a_test_says_that_it_is_one():
    """Nobody must get up for it."""
    message = trial(SETTINGS, NOW)

    assert message.occasion is Occasion.TEST
    assert "this is a test" in json.loads(slack(message))["text"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"notify_url": "hooks.example/secret"}, "notify_url: expected an absolute"),
        ({"notify_url": "http://[bad"}, "notify_url: expected an absolute"),
        ({"page_url": "watch.example"}, "page_url: expected an absolute"),
        ({"notify_url": "http://a/", "notify_url_file": "f"}, "expected one of them"),
        ({"notify_on": ("test",)}, "expected some of called, ended"),
    ],
)
def test_settings_that_cannot_be_are_refused_without_the_secret(given, said):
    """At start-up, and the address is not repeated: it may be a secret."""
    with pytest.raises(SettingsError, match=said) as refused:
        MonitoringSettings.load(None, store="memory://messages", **given)

    assert "secret" not in str(refused.value)


def test_links_need_an_address():
    """A page that listens everywhere has none that could be told."""
    everywhere = MonitoringSettings.load(None, store="memory://messages", host="0.0.0.0")
    here = MonitoringSettings.load(None, store="memory://messages")
    one = incident(OPENING)
    (turn,) = turns(one, CHOICES)

    assert compose(one, turn, everywhere, ahead=(), now=NOW).page == ""
    assert here.page == "http://127.0.0.1:3001"
