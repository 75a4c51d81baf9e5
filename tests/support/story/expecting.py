"""How to say what a query must answer: moments of the story, and a value for each legend there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from grafana import states
from tests.support.story import script
from tests.support.story.script import (
    ACTIONS,
    COLLAPSED,
    EURUSD,
    FROZEN,
    HEALTHY,
    NEW,
    OLD,
    RECOVERED,
    TICKS,
    Model,
)
from tests.support.story.telling import DETECTORS, evidence_of
from tests.support.story.truth import HOUR, Window

Answer: TypeAlias = dict[str, float]
Expected: TypeAlias = Mapping[int, Answer]

MAIN = (HEALTHY, COLLAPSED, RECOVERED, FROZEN)
MODELS = ("eurusd-1m", "btcusd-5m", "gold-1h")
SERVING = {HEALTHY: OLD, COLLAPSED: OLD, RECOVERED: NEW}
"""The version of `eurusd-1m` that answered."""


def always(answer: Answer) -> Expected:
    """The same at all four moments."""
    return dict.fromkeys(MAIN, answer)


def each(value: float, names: tuple[str, ...] = MODELS) -> Answer:
    """The same of every name."""
    return dict.fromkeys(names, value)


def course(base: float, *, collapsed: float, frozen: float) -> Expected:
    """Of each model: `eurusd-1m` differs in the collapse, `btcusd-5m` while its feed is frozen."""
    return {
        HEALTHY: each(base),
        COLLAPSED: each(base) | {"eurusd-1m": collapsed},
        RECOVERED: each(base),
        FROZEN: each(base) | {"btcusd-5m": frozen},
    }


def told(before: float, during: float, after: float, name: str = "eurusd-1m") -> Expected:
    """Of the model that collapses: before, in the middle and afterwards."""
    return {HEALTHY: {name: before}, COLLAPSED: {name: during}, RECOVERED: {name: after}}


def counted(*values: float) -> Expected:
    """Of all models together, at the four moments."""
    return {at: {"": value} for at, value in zip(MAIN, values, strict=True)}


def verdict(name: str) -> int:
    """Return the number of a verdict."""
    return states.ordered_verdicts().index(name) + 1


def status(name: str) -> int:
    """Return the number of an incident's status."""
    return list(states.INCIDENTS).index(name) + 1


def true(measure: Callable[[Window], float], legend: str, seconds: int = HOUR) -> Expected:
    """What the answers of `eurusd-1m` really were; a ``{}`` in the legend is the version."""
    return {
        at: {legend.format(version): measure(Window(EURUSD, version, at, seconds))}
        for at, version in SERVING.items()
    }


def true_of_choices(measure: Callable[[Window, str], float], legend: str = "{}") -> Expected:
    """The same of each choice; a ``{}`` in the legend is the choice."""
    found: dict[int, Answer] = {}
    for at, version in SERVING.items():
        window = Window(EURUSD, version, at, HOUR)
        found[at] = {legend.format(name): measure(window, name) for name in ACTIONS}
    return found


def evidence(model: Model = EURUSD) -> Expected:
    """What each detector has gathered, as a share of its threshold."""
    return {
        at: {
            "frozen" if name == "frozen" else f"{name} action": float(
                evidence_of(model, version, name)[TICKS.searchsorted(at)] / threshold
            )
            for name, threshold in DETECTORS.items()
        }
        for at, version in SERVING.items()
    }


def nearest() -> Expected:
    """The largest share of a threshold, of each model."""
    return {
        at: {model.name: max(evidence(model)[at].values()) for model in script.MODELS}
        for at in SERVING
    }


def confidence() -> Expected:
    """How many answers of four minutes were at most so confident."""
    bounds = ("0.5", "0.6", "0.7", "0.8", "0.9", "0.95", "0.98", "0.99", "0.995", "0.999", "+Inf")
    return {
        at: {
            bound: Window(EURUSD, version, at, 240).confident(float(bound.lstrip("+")))
            for bound in bounds
        }
        for at, version in SERVING.items()
    }
