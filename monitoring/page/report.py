"""The page of a drift report: one self-contained HTML file, without a script.

Columns that drifted come first, each with its distribution now over that of the reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from plumbline.bundle.array import FloatArray
from plumbline.bundle.finding import Verdict
from plumbline.monitoring.page.template import environment
from plumbline.store.board import Bulletin

_BINS = 32
_ENDS = (0.5, 99.5)
_HEIGHT = 40.0


@dataclass(frozen=True)
class Heading:
    """What a report is about.

    Attributes
    ----------
    model, version, made
        Of whom, and when it was made.
    rows, first, last
        Predictions looked at, and when the first and the last of them were answered.
    reference_rows
        Rows that they are held against.
    rule, source
        What counts as drift, and who measured it.
    bulletin
        The monitor's last word about this version; None if there was none.
    """

    model: str
    version: str
    made: datetime
    rows: int
    first: datetime
    last: datetime
    reference_rows: int
    rule: str
    source: str
    bulletin: Bulletin | None


@dataclass(frozen=True)
class Share:
    """How often one action is given."""

    name: str
    past: float
    now: float


@dataclass(frozen=True)
class Column:
    """One column, now and in the reference.

    Attributes
    ----------
    name, distance, threshold
        Which, how far it has moved, and from where on that is drift.
    past, now
        Means; None for actions.
    outlines
        SVG paths of both histograms, reference first, in a box of 100 by 40; empty for actions.
    shares
        Of each action; empty for a number.
    """

    name: str
    distance: float
    threshold: float
    past: float | None = None
    now: float | None = None
    outlines: tuple[str, ...] = ()
    shares: tuple[Share, ...] = ()

    @property
    def drifted(self) -> bool:
        """Whether it has drifted."""
        return self.distance >= self.threshold


def number_column(
    name: str, past: FloatArray, now: FloatArray, distance: float, threshold: float
) -> Column:
    """Return a column of numbers, ``(n,)`` of the reference and ``(m,)`` of now."""
    return Column(
        name=name,
        distance=distance,
        threshold=float(threshold),
        past=float(past.mean()),
        now=float(now.mean()),
        outlines=_outlines(past, now),
    )


def share_column(
    name: str, shares: Sequence[Share], *, distance: float, threshold: float
) -> Column:
    """Return the column of actions."""
    return Column(name=name, distance=distance, threshold=threshold, shares=tuple(shares))


def render(heading: Heading, columns: Sequence[Column]) -> str:
    """Return the page; every name in it is escaped."""
    ordered = sorted(columns, key=lambda column: -column.distance / column.threshold)
    drifted = sum(column.drifted for column in columns)
    return (
        environment()
        .get_template("report.html")
        .render(
            heading=heading,
            columns=ordered,
            drifted=drifted,
            relation=relation(heading.bulletin, drifted),
        )
    )


def relation(bulletin: Bulletin | None, drifted: int) -> str:
    """Say how what was found goes together with the verdict."""
    if bulletin is None:
        return "The monitor has said nothing of this version yet."
    verdict = bulletin.diagnosis.verdict
    if verdict.facts.of_input:
        return "The inputs are at fault: what drifted here is what the client sends, or part of it."
    if verdict is Verdict.DRIFT:
        return "The report and the verdict say the same: the market has moved, the model follows."
    if verdict.facts.well and drifted:
        return (
            "That is no contradiction: drift says where the market has gone, the verdict whether "
            "the model still answers it as it did when it was validated. It does."
        )
    if drifted == 0 and not verdict.facts.sized:
        return "No column explains that: the market is as it was, so it is the answers that moved."
    return ""


def _outlines(past: FloatArray, now: FloatArray) -> tuple[str, ...]:
    """Return both histograms over the range in which nearly all rows of either are."""
    low = min(np.percentile(side, _ENDS[0]) for side in (past, now))
    high = max(np.percentile(side, _ENDS[1]) for side in (past, now))
    if not high > low:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, _BINS + 1)
    heights = [np.histogram(side.clip(low, high), edges)[0] / len(side) for side in (past, now)]
    top = max(float(height.max()) for height in heights)
    return tuple(_outline(height / top) for height in heights)


def _outline(heights: FloatArray) -> str:
    """Return steps of heights between 0 and 1 as an SVG path from the ground to the ground."""
    width = 100.0 / len(heights)
    steps = [f"M0,{_HEIGHT:g}"]
    for place, height in enumerate(heights.tolist()):
        level = _HEIGHT * (1 - height)
        steps.append(f"L{place * width:.1f},{level:.1f}H{(place + 1) * width:.1f}")
    return "".join(steps) + f"L100,{_HEIGHT:g}Z"
