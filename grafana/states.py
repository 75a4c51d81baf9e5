"""States as numbers and back: Grafana colours numbers, Prometheus has a series for each state.

A state metric is 1 for the state that holds and 0, or absent, for all others. `code` asks for the
number of the one that holds, and `mappings` gives the number its word and colour again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from grafana_foundation_sdk.models.dashboard import ValueMap, ValueMapping, ValueMappingResult

from plumbline.bundle.verdict import Facts, Side, Verdict
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
class State:
    """One state: what it is called, and how it looks."""

    text: str
    color: str


def _color(facts: Facts) -> str:
    if facts.side is Side.NONE:
        return GOOD if facts.well else QUIET
    return _SIDES.get(facts.side, OTHER)


_NEXT = {
    IncidentStatus.OPEN: State("a remedy is about to start", INPUT),
    IncidentStatus.RETRAINING: State("a candidate is trained, then its gate", INPUT),
    IncidentStatus.RECALIBRATING: State("the calibration is fitted again", INPUT),
    IncidentStatus.SHADOWING: State("a candidate answers unseen, then it is promoted", INPUT),
    IncidentStatus.WATCHING: State("a new version serves and is watched", MARKET),
}
"""What goes on while an incident is open; the other statuses end one."""

UNKNOWN = 0
"""The number of a state that has no word here: a verdict from a plug-in, or no incident."""

VERDICTS = {each.value: State(each.value.replace("_", " "), _color(each.facts)) for each in Verdict}
MEANINGS = {each.value: State(each.facts.meaning, _color(each.facts)) for each in Verdict}
REMEDIES = {
    each.value: State(each.facts.remedy.carried_out or "Sizes go on.", _color(each.facts))
    for each in Verdict
}
DOINGS = {each.value: State(each.facts.doing, _color(each.facts)) for each in Verdict}
INCIDENTS = {each.value: State(each.value, look.color) for each, look in _NEXT.items()}
STEPS = {each.value: look for each, look in _NEXT.items()}

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


def mappings(
    states: Mapping[str, State], order: Iterable[str], unknown: State
) -> list[ValueMapping]:
    """Return the words and colours of numbers that `code` gave.

    Parameters
    ----------
    states
        The looks, by name.
    order
        The names in the order of their numbers.
    unknown
        The look of `UNKNOWN`.
    """
    looks = {UNKNOWN: unknown} | {
        number: states[name] for number, name in enumerate(order, start=1)
    }
    return [
        ValueMap(
            {
                str(number): ValueMappingResult(text=look.text, color=look.color, index=number)
                for number, look in looks.items()
            }
        )
    ]
