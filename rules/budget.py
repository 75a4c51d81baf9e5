"""What the service promises, and how fast the promise is being used up.

A promise to clients allows a share of bad events in thirty days, its budget. Two windows have to
agree before anybody is called: the long one that it matters, the short one that it still goes on.

References
----------
Beyer et al. (2018), "The Site Reliability Workbook", chapter 5, "Multiwindow, Multi-Burn-Rate
Alerts".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from plumbline.rules.rule import RecordingRule

WINDOWS = ("5m", "30m", "1h", "6h", "3d")
FEWEST = 3
"""Bad events that a burn needs: one failed request of an hourly model is none."""

_PREDICTING = 'route="/predict"'


@dataclass(frozen=True)
class Budget:
    """One promise to clients, and what it allows.

    Attributes
    ----------
    name
        Value of the label ``slo``.
    ratio
        Share of events that must be good.
    bad, events
        Their number in a ``WINDOW``, in PromQL.
    """

    name: str
    ratio: float
    bad: str
    events: str

    def records(self) -> Iterator[RecordingRule]:
        """Yield what is promised, the bad events and their share over each window."""
        labels = {"slo": self.name}
        yield RecordingRule("plumbline:slo_objective:ratio", f"vector({self.ratio})", labels)
        for window in WINDOWS:
            bad, events = (text.replace("WINDOW", window) for text in (self.bad, self.events))
            if window in ("1h", "6h", "3d"):
                yield RecordingRule(f"plumbline:slo_bad:increase{window}", bad, labels)
            name = f"plumbline:slo_errors:ratio_rate{window}"
            yield RecordingRule(name, f"(\n  {_indented(bad)}\n)\n/\n({events} > 0)", labels)


def _indented(text: str) -> str:
    return text.replace("\n", "\n  ")


def _count(metric: str, selector: str) -> str:
    return f"sum by (namespace, service) (increase({metric}{{{selector}}}[WINDOW]))"


_REQUESTS = _count("plumbline_service_requests_total", _PREDICTING)
_TIMED = _count("plumbline_service_request_seconds_count", _PREDICTING)
BUDGETS = (
    Budget(
        "availability",
        0.999,
        bad=f"""\
{_count("plumbline_service_requests_total", _PREDICTING + ', code=~"5.."')}
or
{_REQUESTS} * 0""",
        events=_REQUESTS,
    ),
    Budget(
        "latency",
        0.99,
        bad=f"""\
{_TIMED}
-
{_count("plumbline_service_request_seconds_bucket", _PREDICTING + ', le="0.1"')}""",
        events=_TIMED,
    ),
    Budget(
        "freshness",
        0.99,
        bad="sum_over_time(plumbline:bars_stale:bool[WINDOW])",
        events="count_over_time(plumbline:bars_stale:bool[WINDOW])",
    ),
)
"""Answers of ``/predict`` that are no 5xx; those within 0.1 s; moments at which bars are fresh."""


def budget_records() -> Iterator[RecordingRule]:
    """Yield the records of all budgets."""
    for budget in BUDGETS:
        yield from budget.records()


def burning(rate: float, long: str, short: str) -> str:
    """Return the condition that the budget is used up at so many times the pace it allows.

    While nothing happens the short window says what it said last: a pause is neither a fault nor a
    recovery.
    """
    allowed = f"on (slo) group_left () ({rate:g} * (1 - plumbline:slo_objective:ratio))"
    return f"""\
plumbline:slo_errors:ratio_rate{long} > {allowed}
and last_over_time(plumbline:slo_errors:ratio_rate{short}[{long}]) > {allowed}
and plumbline:slo_bad:increase{long} >= {FEWEST}"""
