"""Counting what is wrong with bars, and refusing what must not be used. Nothing is repaired."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from pydantic import Field

from plumbline.bundle.array import IntArray
from plumbline.bundle.record import Record
from plumbline.training.bars import COLUMNS, PRICES, Bars
from plumbline.training.data import NO_TIME
from plumbline.training.errors import DataError

Tolerable = Literal["gaps", "zero_volume"]
INTOLERABLE: Final = ("nulls", "non_positive", "unsorted", "duplicates", "contradictions")


class DataReport(Record):
    """How many bars of one symbol have which defect."""

    symbol: str
    bars: int = Field(description="Read.")
    nulls: int = Field(description="With a time, price or volume that is missing or not finite.")
    non_positive: int = Field(description="With a price of zero or less, or a negative volume.")
    unsorted: int = Field(description="Older than the bar before.")
    duplicates: int = Field(description="With the time of another bar.")
    contradictions: int = Field(description="With a high or low that does not span open and close.")
    zero_volume: int = Field(description="In which nothing was traded.")
    gaps: int = Field(description="Places where bars are missing; a closed market is one, too.")
    missing: int = Field(description="Bars that would fill those gaps.")


def check_bars(bars: Bars) -> DataReport:
    """Count the defects of bars.

    Parameters
    ----------
    bars
        As read, in the order of the file.
    """
    columns = np.stack([getattr(bars, name) for name in COLUMNS])
    prices = np.stack([getattr(bars, name) for name in PRICES])
    body = np.stack([bars.open, bars.close])
    steps = np.diff(bars.time[bars.time != NO_TIME])
    longer = _gaps(steps)
    return DataReport(
        symbol=bars.symbol,
        bars=len(bars),
        nulls=int((~np.isfinite(columns).all(axis=0) | (bars.time == NO_TIME)).sum()),
        non_positive=int(((prices <= 0).any(axis=0) | (bars.volume < 0)).sum()),
        unsorted=int((steps < 0).sum()),
        duplicates=len(bars) - len(np.unique(bars.time)),
        contradictions=int(((bars.high < body.max(axis=0)) | (bars.low > body.min(axis=0))).sum()),
        zero_volume=int((bars.volume == 0).sum()),
        gaps=int((longer > 0).sum()),
        missing=int(longer.sum()),
    )


def refuse_defects(
    reports: Sequence[DataReport], *, refuse_also: tuple[Tolerable, ...] = ()
) -> None:
    """Refuse bars that would teach nonsense.

    Raises
    ------
    DataError
        With each defect and its count. The five of `INTOLERABLE` are always refused; gaps and bars
        without volume are normal in many markets and refused only if asked for.
    """
    found = [
        f"{report.symbol}: {getattr(report, defect)} {defect.replace('_', ' ')}"
        for report in reports
        for defect in (*INTOLERABLE, *refuse_also)
        if getattr(report, defect)
    ]
    if found:
        raise DataError(
            f"the bars are refused, since nothing is silently repaired: {'; '.join(found)}. "
            "Correct the file and train again"
        )


def _gaps(steps: IntArray) -> IntArray:
    """Return how many bars are missing after each bar, against the most frequent step."""
    forward = steps[steps > 0]
    if not len(forward):
        return np.zeros(0, dtype=np.int64)
    sizes, counts = np.unique(forward, return_counts=True)
    missing: IntArray = np.maximum(forward // sizes[counts.argmax()] - 1, 0)
    return missing
