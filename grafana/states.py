"""States as numbers and back: Grafana colours numbers, Prometheus has a series for each state.

A state metric is 1 for the state that holds and 0, or absent, for all others. `code` asks for the
number of the one that holds, and `mappings` gives the number its word and colour again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from grafana_foundation_sdk.models.dashboard import ValueMap, ValueMapping, ValueMappingResult

from plumbline.bundle.verdict import Facts, Remedy, Side, Verdict
from plumbline.store.incident import IncidentStatus

GOOD, FAULT, INPUT, MARKET, OTHER, QUIET = "green", "red", "orange", "blue", "purple", "#7a8087"

_SIDES = {
    Side.MODEL: FAULT,
    Side.ARTEFACT: FAULT,
    Side.CLIENT: INPUT,
    Side.FEED: INPUT,
    Side.MARKET: MARKET,
}


@dataclass(frozen=True)
class Face:
    """One state: what it is called, and how it looks."""

    text: str
    color: str


def _color(facts: Facts) -> str:
    if facts.side is Side.NONE:
        return GOOD if facts.well else QUIET
    return _SIDES.get(facts.side, OTHER)


_NEXT = {
    IncidentStatus.OPEN: Face("a remedy is about to start", "yellow"),
    IncidentStatus.RETRAINING: Face("a candidate is trained, then its gate", INPUT),
    IncidentStatus.RECALIBRATING: Face("the calibration is fitted again", INPUT),
    IncidentStatus.SHADOWING: Face("a candidate answers unseen, then it is promoted", MARKET),
    IncidentStatus.WATCHING: Face("a new version serves and is watched", "light-green"),
    IncidentStatus.CALLED: Face("a person was called, and must act", FAULT),
}
"""What goes on while an incident is open; the other statuses end one."""

UNKNOWN = 0
"""The number of a state that has no word here: a verdict from a plug-in, or no incident."""

_BEYOND = 100
"""Added to the number of a verdict where it stands beside those of incidents."""

VERDICTS = {each.value: Face(each.value.replace("_", " "), _color(each.facts)) for each in Verdict}
MEANINGS = {each.value: Face(each.facts.meaning, _color(each.facts)) for each in Verdict}
REMEDIES = {
    each.value: Face(each.facts.remedy.carried_out or "Sizes go on.", _color(each.facts))
    for each in Verdict
}
DOINGS = {each.value: Face(each.facts.doing, _color(each.facts)) for each in Verdict}
_SHORT = {
    Remedy.NONE: "nothing: sizes go on",
    Remedy.RETRAIN: "sizes held back, a retrain is due",
    Remedy.RECALIBRATE: "sizes held back, a refit is due",
    Remedy.ROLL_BACK: "sizes held back, the last good version returns",
    Remedy.CALL: "sizes held back, a person is called",
    Remedy.REPORT: "sizes go on, a drift report is written",
    Remedy.REFUSE: "sizes held back, a person is called",
}
FORECASTS = {each.value: Face(_SHORT[each.facts.remedy], _color(each.facts)) for each in Verdict}
"""What happens next, of a verdict, in a few words."""
INCIDENTS = {each.value: Face(each.value, face.color) for each, face in _NEXT.items()}
STEPS = {each.value: face for each, face in _NEXT.items()}

UNWELL = "|".join(each.value for each in Verdict if not each.facts.sized)
"""Verdicts under which no size is suggested, as an expression for a label."""


def code(metric: str, label: str, states: Iterable[str], by: str, where: str) -> str:
    """Return a query for the number of the state that holds, counted from 1.

    Parameters
    ----------
    metric, label
        The state metric, and the label that names the state.
    states
        In the order of their numbers. Where two monitors disagree the highest holds, and what has
        no name here is `UNKNOWN`.
    by
        Labels to keep.
    where
        Label matchers, without braces.
    """
    ranked = list(enumerate(states, start=1))[::-1]
    each = [
        f'{number} * max by ({by}) ({metric}{{{where}, {label}="{name}"}} == 1)'
        for number, name in ranked
    ]
    rest = f"{UNKNOWN} * max by ({by}) ({metric}{{{where}}} == 1)"
    return "\nor ".join([*each, rest])


def verdict(by: str, where: str) -> str:
    """Return a query for the number of the verdict; where two disagree the worse one counts."""
    return code("plumbline_monitoring_verdict", "verdict", ordered_verdicts(), by, where)


def ordered_verdicts() -> list[str]:
    """Return all verdicts, those under which sizes go on first, `healthy` before all."""
    return sorted(VERDICTS, key=lambda name: not Verdict(name).facts.sized)  # type: ignore[call-arg]


def incident(where: str) -> str:
    """Return a query for the number of an open incident's status; `UNKNOWN` where none is open."""
    opened = code(
        "plumbline_monitoring_open_incident", "status", INCIDENTS, "namespace, model", where
    )
    watched = f"max by (namespace, model) (plumbline_monitoring_leader{{{where}}})"
    return f"{opened}\nor {UNKNOWN} * {watched}"


def attempts_left(where: str) -> str:
    """Return a query for the attempts that are left, of models with an open incident."""
    return (
        f"max by (model) (plumbline_monitoring_attempts_left{{{where}}})\n"
        f"and on (model) plumbline_monitoring_open_incident{{{where}}} == 1"
    )


def next_step(where: str) -> str:
    """Return a query for what happens next with each model, in the numbers of `next_words`."""
    return (
        f"max by (model) ((\n{incident(where)}\n) > {UNKNOWN})\n"
        f"or {_BEYOND} + (\n{verdict('model', where)}\n)"
    )


def next_words() -> list[ValueMapping]:
    """Return the words of `next_step`: of the open incident's step, or else of the verdict."""
    faces = dict(enumerate(STEPS.values(), start=1))
    known = (FORECASTS[name] for name in ordered_verdicts())
    faces |= {_BEYOND: Face("as the plug-in says", OTHER)}
    faces |= dict(enumerate(known, start=_BEYOND + 1))
    return [_words(faces)]


def mappings(states: Mapping[str, Face], order: Iterable[str], unknown: Face) -> list[ValueMapping]:
    """Return the words and colours of numbers that `code` gave.

    Parameters
    ----------
    states
        The faces, by name.
    order
        The names in the order of their numbers.
    unknown
        The face of `UNKNOWN`.
    """
    faces = {UNKNOWN: unknown} | {
        number: states[name] for number, name in enumerate(order, start=1)
    }
    return [_words(faces)]


def _words(faces: Mapping[int, Face]) -> ValueMap:
    return ValueMap(
        {
            str(number): ValueMappingResult(text=face.text, color=face.color, index=number)
            for number, face in faces.items()
        }
    )
