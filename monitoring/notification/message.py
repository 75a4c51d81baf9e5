"""A message to people: what the status page says of an incident at one of its moves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import Field

from plumbline.bundle.finding import Diagnosis, Verdict
from plumbline.bundle.record import Record
from plumbline.monitoring.notification.occasion import Occasion, Turn
from plumbline.monitoring.page import sentence
from plumbline.monitoring.page.ahead import Ahead
from plumbline.monitoring.page.text import words
from plumbline.monitoring.settings import MonitoringSettings
from plumbline.rules.blame import alert_about
from plumbline.store.incident import EventKind, Incident, IncidentStatus
from plumbline.store.report import Report

_OVER = (IncidentStatus.RESOLVED, IncidentStatus.SUPERSEDED)
FORMAT = 1
"""Of the event; it grows when a field changes its meaning."""


class Message(Record):
    """What people are told; the format `json` sends all of it."""

    format: int = FORMAT
    id: str = Field(description="The same when it is sent again.")
    occasion: Occasion
    time: datetime = Field(description="When it happened.")
    model: str
    version: str
    incident: str
    status: str = Field(description="Where the incident stands.")
    verdict: Verdict
    headline: str
    meaning: str = Field(
        description="What the verdict means, what is done and what a person should do; empty "
        "where the version it is about serves no more."
    )
    cause: str = Field(description="Why this verdict and no other.")
    happened: tuple[str, ...] = Field(
        description="The lines of the timeline it is about; a diagnosis is `cause`."
    )
    evidence: tuple[str, ...] = ()
    ahead: tuple[str, ...] = Field((), description="What happens next.")
    page: str = Field("", description="Address of the incident on the status page.")
    report: str = Field("", description="Address of the drift report.")
    runbook: str = Field("", description="Address of the page that says what to look at.")


def compose(
    incident: Incident,
    turn: Turn,
    settings: MonitoringSettings,
    *,
    ahead: Sequence[Ahead],
    now: datetime,
    report: Report | None = None,
) -> Message:
    """Say what an incident's move means, in the words of the status page.

    Parameters
    ----------
    incident, turn
        The incident as it is now, and the move.
    settings
        Where the links lead.
    ahead
        What happens next, as the page has it.
    now
        The present time: whatever is to come is told from there.
    report
        The newest one about the model, if there is one since the incident was opened.
    """
    over = turn.occasion is Occasion.PROMOTED or incident.status in _OVER
    diagnosis, given_up = incident.diagnosis, sentence.abandoned(incident)
    meaning = sentence.meaning(diagnosis, diagnosis.verdict.facts.doing, given_up=given_up)
    page = settings.page
    return Message(
        id=f"{incident.id}-{turn.number}",
        occasion=turn.occasion,
        time=turn.events[0].time,
        model=incident.model,
        version=incident.version,
        incident=incident.id,
        status=incident.status.value,
        verdict=incident.verdict,
        headline=_headline(incident, turn),
        meaning="" if over else meaning,
        cause=diagnosis.cause,
        happened=tuple(
            sentence.happened(incident, event)
            for event in turn.events
            if event.kind is not EventKind.DIAGNOSED
        ),
        evidence=sentence.evidence(diagnosis),
        ahead=_next(incident, ahead, now),
        page=page and f"{page}/#incident-{incident.id}",
        report=page and f"{page}/reports" + (f"/{report.name}" if report else ""),
        runbook=_runbook(incident, settings.runbooks, given_up=given_up),
    )


def trial(settings: MonitoringSettings, now: datetime) -> Message:
    """Return a message that says of itself that it is a test."""
    verdict, cause = (
        Verdict.HEALTHY,
        "Somebody has asked for this message: plumbline notify --test.",
    )
    diagnosis = Diagnosis(verdict=verdict, cause=cause, n=0)
    return Message(
        id=f"test-{now:%Y%m%dT%H%M%S%f}",
        occasion=Occasion.TEST,
        time=now,
        model=settings.model,
        version="",
        incident="",
        status="test",
        verdict=verdict,
        headline=f"{settings.model}: this is a test",
        meaning=sentence.meaning(diagnosis, verdict.facts.doing),
        cause=cause,
        happened=(),
        page=settings.page,
    )


def _headline(incident: Incident, turn: Turn) -> str:
    kinds = {event.kind for event in turn.events}
    version = next((event.version for event in turn.events if event.version), incident.version)
    match turn.occasion:
        case Occasion.CALLED:
            what = "a person is called"
        case Occasion.ENDED:
            what = f"the incident is {words(incident.status.value)}"
        case Occasion.PROMOTED:
            back = EventKind.ROLLED_BACK in kinds
            what = f"{version} {'serves again' if back else 'was promoted'}"
        case Occasion.REFUSED:
            refused = EventKind.CANDIDATE_REFUSED in kinds
            what = "a candidate was refused" if refused else "an attempt failed"
        case Occasion.RETRAIN:
            refit = EventKind.RECALIBRATION_STARTED in kinds
            what = f"a {'new fit' if refit else 'retrain'} was launched"
        case _:
            what = f"an incident was opened, {sentence.noticed(incident)}"
    return f"{incident.model}: {words(incident.verdict.value)}; {what}"


def _next(incident: Incident, ahead: Sequence[Ahead], now: datetime) -> tuple[str, ...]:
    """Return what comes of this incident, else of another one, else that nothing does."""
    own = [each for each in ahead if each.incident == incident.id]
    of_incidents = own or [each for each in ahead if each.incident is not None]
    return tuple(each.sentence(now) for each in of_incidents) or (sentence.QUIET,)


def _runbook(incident: Incident, folder: str, *, given_up: bool) -> str:
    alert = "RetrainExhausted" if given_up else alert_about(incident.verdict.facts)
    return f"{folder.rstrip('/')}/{alert}.md" if alert else ""
