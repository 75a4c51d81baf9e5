"""What is said of a verdict and of an incident, wherever it is said: the page, messages, Slack."""

from __future__ import annotations

from datetime import datetime

from plumbline.bundle.finding import Diagnosis, Level
from plumbline.monitoring.page.text import words
from plumbline.store.incident import Incident, IncidentEvent, IncidentStatus
from plumbline.store.repair_time import repair_time

GIVEN_UP = (
    "Sizes are held back. A person was called, and nothing more is tried on this version: change "
    "one thing (data, labels or loss), train and promote."
)
QUIET = "Nothing is under way. The monitor looks at new predictions as they come."

_TOLD = 0.05
"""Seconds of a stage that are worth a word."""


def meaning(diagnosis: Diagnosis, doing: str, *, given_up: bool = False) -> str:
    """Say what a verdict means, what is done about it, and what a person should do.

    Parameters
    ----------
    diagnosis, doing
        The verdict, and the last of the three.
    given_up
        Whether a person was called about the version, so that nothing more is done.
    """
    done = (GIVEN_UP,) if given_up else (diagnosis.remedy.carried_out, doing)
    return " ".join(filter(None, (diagnosis.verdict.facts.meaning, *done)))


def after(incident: Incident, moment: datetime) -> str:
    """Return how long after an incident's opening something was: ``+12.3 s``."""
    return f"+{(moment - incident.opened).total_seconds():.1f} s"


def happened(incident: Incident, event: IncidentEvent) -> str:
    """Return a line of the timeline: when, what and how."""
    return f"{after(incident, event.time)} {words(event.kind.value)}: {event.detail}"


def noticed(incident: Incident) -> str:
    """Say how soon an incident was noticed, and who asked for what was done."""
    return f"after {incident.detected_after} predictions, asked by {incident.actor}"


def spent(incident: Incident) -> str:
    """Say how long an incident took, where the time went, and what took longer than it may."""
    took = repair_time(incident)
    parts = [line.said for line in took.lines if line.seconds >= _TOLD]
    over = f". Over budget: {', '.join(took.over)}" if took.over else ""
    return f"It took {took.total:.1f} s: {', '.join(parts)}{over}."


def evidence(diagnosis: Diagnosis) -> tuple[str, ...]:
    """Return what speaks against the model, the worst first."""
    grave = (Level.FAIL, Level.WARN)
    found = [each for each in diagnosis.findings if each.level in grave]
    return tuple(each.message for each in sorted(found, key=lambda each: grave.index(each.level)))


def abandoned(incident: Incident) -> bool:
    """Whether an incident has ended with the call of a person, who has to act."""
    return incident.ended and incident.status is IncidentStatus.CALLED
