"""Markets under stress, as the watch knows them by sight; see `bundle.stress`.

Two questions. Of a row: are the columns that stand still pinned as such a market pins them? Of a
window of rows: do its columns relate to each other, and lie, as in such a market?
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from plumbline.bundle.array import BoolArray, FloatArray, IntArray
from plumbline.bundle.stress import StressRows
from plumbline.diagnosis.column import ColumnModel

_PINNED = 0.55
"""Share of a scenario's rows in which a column has one value to be called pinned."""

_AT_ZERO = 0.3
"""The same of zero: a wide window has to fill with the scenario's bars first."""

_COMPANY = 3
"""Pinned columns by which a market that stands still is known."""

_SAME = 1e-6


@dataclass(frozen=True)
class Hull:
    """Between what a reference's windows show and what a scenario's do: all ``(f,) float64``."""

    slope_low: FloatArray
    slope_high: FloatArray
    level_low: FloatArray
    level_high: FloatArray
    outside: FloatArray
    size: FloatArray


@dataclass(frozen=True)
class _Pins:
    """The columns that a scenario pins, at which values, and which of them together.

    Attributes
    ----------
    columns, values
        Those pinned at one value, and the value.
    alone
        Those known by their value; zero looks like a column that was left out, and is known only by
        its company.
    mostly
        Those that are so in most rows.
    kept
        Columns that keep whatever value they have, for as long as others are pinned.
    patterns
        Which of the pinned are at their value together, in some row.
    """

    columns: IntArray
    values: FloatArray
    alone: BoolArray
    mostly: BoolArray
    kept: IntArray
    patterns: frozenset[bytes]

    def match(self, features: FloatArray) -> BoolArray:
        """Tell which columns of each row are pinned as in the scenario: ``(n, f) bool``."""
        excused = np.zeros(features.shape, bool)
        at = np.abs(features[:, self.columns] - self.values) <= _SAME * (1 + np.abs(self.values))
        some = np.flatnonzero(at.any(axis=1))
        if not len(some):
            return excused
        at = at[some]
        known = np.fromiter((row.tobytes() in self.patterns for row in at), bool, len(at))
        excused[np.ix_(some, self.columns)] = at & (known[:, None] | self.alone)
        still = some[known & (at[:, self.mostly].sum(axis=1) >= _COMPANY)]
        excused[np.ix_(still, self.kept)] = True
        return excused


@dataclass(frozen=True)
class Stress:
    """The scenarios of a bundle, measured as the live rows are.

    Attributes
    ----------
    scenarios
        By name, the stretches of bars that were bent: rows ``(m, f) float64`` of each.
    normal : (k, f) float64
        Rows of the reference, from which each stretch begins.
    """

    scenarios: Mapping[str, tuple[FloatArray, ...]]
    normal: FloatArray
    _hulls: dict[int, tuple[Hull, ...]] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, rows: StressRows | None, features: FloatArray) -> Stress:
        """Take over a bundle's rows; none of one that has none."""
        names = () if rows is None else rows.names
        scenarios = {} if rows is None else {name: rows.stretches(name) for name in names}
        return cls(scenarios, np.asarray(features[-200:], np.float64))

    @cached_property
    def _pins(self) -> tuple[_Pins, ...]:
        whole = (np.concatenate(each) for each in self.scenarios.values())
        return tuple(found for each in whole if (found := _pins(each)))

    def pinned(self, features: FloatArray) -> BoolArray:
        """Tell which columns of rows ``(n, f) float64`` some scenario pins so: ``(n, f) bool``."""
        found = np.zeros(features.shape, bool)
        for each in self._pins:
            found |= each.match(features)
        return found

    def hulls(self, columns: ColumnModel, bars: int) -> tuple[Hull, ...]:
        """Return how far each scenario takes the columns in windows of so many bars.

        A window of 60 rows is 60 bars of one symbol, and three of twenty symbols: in those a column
        that remembers 48 bars has the crash of all in every row. The mean over symbols lies between
        what each of them shows, so that windows of one stretch do for any number of symbols.
        """
        bars = min(bars, len(self.normal))
        if bars not in self._hulls:
            scenarios = self.scenarios.values()
            self._hulls[bars] = tuple(self._hull(each, columns, bars) for each in scenarios)
        return self._hulls[bars]

    def _hull(self, stretches: tuple[FloatArray, ...], columns: ColumnModel, bars: int) -> Hull:
        streams = (np.concatenate([self.normal[-bars:], rows]) for rows in stretches)
        found = [columns.relate(_windows(rows, bars)) for rows in streams]
        slope = np.concatenate([each.slope for each in found])
        level = np.concatenate([each.level for each in found])
        return Hull(
            slope_low=slope.min(axis=0),
            slope_high=slope.max(axis=0),
            level_low=level.min(axis=0),
            level_high=level.max(axis=0),
            outside=np.concatenate([each.outside for each in found]).max(axis=0),
            size=np.concatenate([each.size for each in found]).max(axis=0),
        )


def _windows(rows: FloatArray, length: int) -> FloatArray:
    """Return overlapping windows of so many rows: ``(w, length, f)``."""
    starts = range(0, len(rows) - length + 1, max(1, length // 6))
    return np.stack([rows[start : start + length] for start in starts])


def _pins(rows: FloatArray) -> _Pins | None:
    middle = np.median(rows, axis=0)
    same = np.abs(rows - middle) <= _SAME * (1 + np.abs(middle))
    one = same.mean(axis=0) >= _PINNED
    zero = ~one & ((rows == 0).mean(axis=0) >= _AT_ZERO)
    kept = (rows[1:] == rows[:-1]).mean(axis=0) >= _PINNED
    columns = np.flatnonzero(one | zero)
    if not len(columns):
        return None
    values = np.where(zero, 0.0, middle)[columns]
    at = np.abs(rows[:, columns] - values) <= _SAME * (1 + np.abs(values))
    few = (at & zero[columns]).any(axis=1) & (at.sum(axis=1) < _COMPANY)
    patterns = frozenset(row.tobytes() for row in at[~few] if row.any())
    return _Pins(columns, values, values != 0.0, one[columns], np.flatnonzero(kept), patterns)
