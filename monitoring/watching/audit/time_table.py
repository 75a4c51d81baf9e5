"""Columns that the time of the day or week decides, and what they are at each time.

In the reference some columns are the same whenever the time of the week is: sine and cosine of the
hour, the weekday. No market moves them and no revised bar does, so that a row that says its bar
then says what they must be.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from plumbline.bundle.array import BoolArray, FloatArray, IntArray
from plumbline.bundle.reference import ReferenceProfile
from plumbline.diagnosis.exact.comparison import ROUNDING, Scale

DAY = 24 * 3_600_000_000
WEEK = 7 * DAY

_TIMES = 3
_HALF = 0.5


@dataclass(frozen=True)
class TimeTable:
    """What the columns are at each time that the reference has.

    Attributes
    ----------
    period
        A week or a day, in microseconds.
    moments : (m,) int64
        Times within it, ascending.
    columns : (k,) int64
        Places of the columns that the time decides; none where it decides none.
    values : (m, k) float64
        What they are then.
    slack : (k,) float64
        By how much a right one may be off.
    """

    period: int
    moments: IntArray
    columns: IntArray
    values: FloatArray
    slack: FloatArray

    @classmethod
    def learn(cls, reference: ReferenceProfile, scale: Scale) -> TimeTable:
        """Find the columns that the time of the week decides, or else that of the day."""
        rounding = ROUNDING * scale.deviation
        for period in (WEEK, DAY):
            moment = reference.bar_time % period
            order = np.argsort(moment, kind="stable")
            moments, first, counts = np.unique(moment[order], return_index=True, return_counts=True)
            if len(moments) < 2 or len(reference) < _TIMES * len(moments):
                continue
            low = np.minimum.reduceat(reference.features[order], first)
            high = np.maximum.reduceat(reference.features[order], first)
            same = high - low <= rounding
            often = counts >= 2
            told = same[often].all(axis=0) & often.any()
            moves = np.ptp(low, axis=0) > 10 * rounding
            columns = np.flatnonzero(told & moves)
            if len(columns):
                known = (low[:, columns] + high[:, columns]) / 2
                return cls(period, moments, columns, known, 2 * rounding[columns])
        nothing = np.empty(0, np.int64)
        return cls(WEEK, nothing, nothing, np.empty((0, 0)), np.empty(0))

    def __len__(self) -> int:
        return len(self.columns)

    def find(self, bar_time: IntArray) -> tuple[IntArray, BoolArray]:
        """Return the place of each bar's time, and whether the reference has it: ``(n,)`` each."""
        moment = bar_time % self.period
        place = np.searchsorted(self.moments, moment).clip(max=len(self.moments) - 1)
        return place, (bar_time >= 0) & (self.moments[place] == moment)

    def off(self, sent: FloatArray, place: IntArray) -> BoolArray:
        """Tell which of the columns ``(n, k)`` are not what they are at their time."""
        wrong: BoolArray = np.abs(sent - self.values[place]) > self.slack
        return wrong

    def shifts(self, bar: int, sent: FloatArray) -> list[int]:
        """Return by how much earlier the times are that have these columns; later is negative."""
        others = self.moments[(np.abs(sent - self.values) <= self.slack).all(axis=1)]
        half = self.period // 2
        earlier = (bar % self.period - others + half) % self.period - half
        return [int(shift) for shift in earlier]

    def timeless(self, sent: FloatArray, off: BoolArray) -> BoolArray:
        """Tell which rows are of no time at all: most columns off, and together nowhere ``(n,)``.

        One column that is not what the time makes it may be of a holiday that no week of the
        reference had.
        """
        found: BoolArray = off.mean(axis=1) > _HALF
        rows = np.flatnonzero(found)
        if len(rows):
            found[rows] = ~self._somewhen(np.asarray(sent[rows], np.float64))
        return found

    def _somewhen(self, sent: FloatArray) -> BoolArray:
        """Whether some time has the columns of each row: those near it on a line are looked at."""
        weights, order, line, reach = self._line
        at = sent @ weights
        first = np.searchsorted(line, at - reach)
        last = np.searchsorted(line, at + reach, side="right")
        found = np.zeros(len(sent), bool)
        for i in range(int((last - first).max(initial=0))):
            some = np.flatnonzero((first + i < last) & ~found)
            near = self.values[order[first[some] + i]]
            found[some] = (np.abs(sent[some] - near) <= self.slack).all(axis=1)
        return found

    @cached_property
    def _line(self) -> tuple[FloatArray, IntArray, FloatArray, float]:
        """Weights of a line that times lie apart on, their order there, where, and the slack."""
        weights = np.sqrt(2.0 + np.arange(len(self.columns)))
        line = self.values @ weights
        order = np.argsort(line)
        return weights, order, line[order], float(self.slack @ weights)
