"""One window that was logged whole, step by step against what had been sent of its bars.

The step of a bar is found by counting back from the newest: a bar per interval, and one for each
gap that the reference has at that time of the week, a night or a weekend. Across any other gap
nobody knows how many bars the client has seen: steps beyond it must turn up somewhere in the
window, and are not accused of being in the wrong place.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from plumbline.bundle.array import BoolArray, FloatArray, IntArray
from plumbline.bundle.reference import ReferenceProfile
from plumbline.diagnosis.exact.comparison import Scale

MATERIAL = 0.05
"""By so many standard deviations of the reference a step must be off to count: no rounding."""

PART = 0.25
"""Share of the steps that must be off in a window that is wrong: one revised bar is no fault."""

ENOUGH = 8
"""Steps to compare, where the window has so many."""

TRACE = 4
"""Oldest steps that must be off before a name is looked for what is wrong with them."""

MOSTLY = 0.8

_WEEK = 7 * 24 * 3_600_000_000
_NEARLY = 0.1
_USUAL = 0.6
_OFTEN = 3


class Calendar:
    """Which bars follow each other.

    Parameters
    ----------
    reference
        What is usual: gaps that nearly always follow a time of the week.
    interval
        Of a bar, in microseconds.
    """

    def __init__(self, reference: ReferenceProfile, interval: int) -> None:
        self._interval = interval
        bars, symbol = reference.bar_time, reference.symbol
        pairs = (symbol[1:] == symbol[:-1]) & (np.diff(bars) > 0)
        seen: dict[int, Counter[int]] = defaultdict(Counter)
        moments = (bars[:-1][pairs] % _WEEK).tolist()
        for moment, gap in zip(moments, np.diff(bars)[pairs].tolist(), strict=True):
            seen[moment][gap] += 1
        self._usual: dict[int, int] = {}
        for moment, gaps in seen.items():
            gap, times = gaps.most_common(1)[0]
            if gap > interval * (1 + _NEARLY) and times >= max(_OFTEN, _USUAL * gaps.total()):
                self._usual[moment] = gap

    def unbroken(self, bars: IntArray) -> bool:
        """Whether it is certain that none is missing between ascending bars."""
        more = int(bars[-1] - bars[0]) - (len(bars) - 1) * self._interval
        if more == 0 or not self._usual:
            return abs(more) <= _NEARLY * self._interval
        return bool(self.steps(bars)[1].all())

    def steps(self, bars: IntArray) -> tuple[IntArray, BoolArray]:
        """Return how many steps lie between ascending bars at most, and whether that is certain.

        Returns
        -------
        (n - 1,) int64, (n - 1,) bool
        """
        gaps = bars[1:] - bars[:-1]
        sure = np.abs(gaps - self._interval) <= _NEARLY * self._interval
        most = np.ones(len(gaps), np.int64)
        if not sure.all():
            for i in np.flatnonzero(~sure).tolist():
                if self._usual.get(int(bars[i] % _WEEK)) == gaps[i]:
                    sure[i] = True
                else:
                    most[i] = max(round(int(gaps[i]) / self._interval), 1)
        return most, sure


@dataclass(frozen=True)
class Past:
    """What had been sent of some bars, oldest first.

    Attributes
    ----------
    bars : (k,) int64
    values : (k, f) float32
        When each was the newest.
    """

    bars: IntArray
    values: FloatArray


@dataclass(frozen=True)
class Newest:
    """A window that was logged whole.

    Attributes
    ----------
    symbol
        Whose, with the client's name where that is known.
    number
        Rows of the symbol before this one.
    bar
        Its newest bar.
    window : (steps, f) float32
    """

    symbol: str
    number: int
    bar: int
    window: FloatArray


@dataclass(frozen=True)
class Look:
    """What one whole window says of bars that had been sent before.

    Attributes
    ----------
    symbol, number, bar
        Of the window.
    bars : (k,) int64
        That were compared, oldest first.
    said, expected : (k, f) float32
        In the window, and when they were sent; where the step's place is not certain and nothing
        like it is in the window, the step there if no bar is missing.
    off : (k,) bool
        Whether they differ.
    sure : (k,) bool
        Whether the step's place is certain.
    enough
        So many must be compared and be off at least.
    """

    symbol: str
    number: int
    bar: int
    bars: IntArray
    said: FloatArray
    expected: FloatArray
    off: BoolArray
    sure: BoolArray
    enough: tuple[int, int]

    @cached_property
    def share(self) -> float:
        """Of the steps, those that are off."""
        return float(self.off.mean()) if len(self.off) else 0.0

    @property
    def sound(self) -> bool:
        """Whether many steps were compared and none is off."""
        return len(self.off) >= self.enough[0] and not self.off.any()

    @property
    def wrong(self) -> bool:
        """Whether many steps were compared and many are off."""
        least = len(self.off) >= self.enough[0] and self.off.sum() >= self.enough[1]
        return bool(least and self.share >= PART)

    @property
    def traced(self) -> bool:
        """Whether what is off are the oldest steps, several in a row and all of them."""
        if not self.off.any():
            return False
        oldest = int(np.flatnonzero(self.off)[-1]) + 1
        return oldest >= TRACE and bool(self.off[:oldest].mean() >= MOSTLY)

    def keeps(self, border: int) -> bool:
        """Whether of several bars up to this one it says what was said of them then."""
        before = (self.bars <= border) & self.sure
        return bool(before.sum() >= TRACE and not self.off[before].any())

    @property
    def old(self) -> bool:
        """Whether its oldest steps are off: a bar revised within the window leaves them alone."""
        return bool(self.off[: max(len(self.off) // 4, 1)].mean() >= 0.5)

    @property
    def fresh(self) -> bool:
        """Whether its newest steps are off."""
        return bool(self.off[-max(len(self.off) // 4, 1) :].mean() >= 0.5)

    @property
    def newest_off(self) -> int:
        """The newest bar that is off."""
        return int(self.bars[self.off][-1])


def look(newest: Newest, past: Past, calendar: Calendar, scale: Scale) -> Look:
    """Compare a window with what had been sent of the bars before its newest."""
    window = newest.window
    steps = len(window)
    most, sure = calendar.steps(np.append(past.bars, newest.bar))
    inside = most[::-1].cumsum()[::-1] <= steps - 1
    certain = np.logical_and.accumulate(sure[::-1])[::-1]
    back = np.arange(len(past.bars), 0, -1)[inside]
    said, expected = window[steps - 1 - back], past.values[inside]
    off = _differs(said, expected, scale)
    floating = np.flatnonzero(off & ~certain[inside])
    if len(floating):
        apart = np.abs(window[None, :-1] - expected[floating, None])
        missing: BoolArray = np.any(apart > MATERIAL * scale.deviation, axis=2).all(axis=1)
        off[floating] = missing
    return Look(
        symbol=newest.symbol,
        number=newest.number,
        bar=newest.bar,
        bars=past.bars[inside],
        said=said,
        expected=expected,
        off=off,
        sure=certain[inside],
        enough=(min(ENOUGH, steps - 1), min(2, steps - 1)),
    )


def _differs(said: FloatArray, expected: FloatArray, scale: Scale) -> BoolArray:
    """Return which steps are off; a column that is not known is not."""
    return np.asarray((np.abs(said - expected) > MATERIAL * scale.deviation).any(axis=1), bool)
