"""Markets under stress, as the watch knows them by sight; see `bundle.stress`.

Two questions. Of a row: are the columns that stand still pinned as such a market pins them? Of a
window of rows: do its columns relate to each other, and lie, as in such a market?
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
        Rows by name, ``(m, f) float64``.
    normal : (k, f) float64
        Rows of the reference, from which each scenario begins.
    """

    scenarios: Mapping[str, FloatArray]
    normal: FloatArray
    _hulls: dict[int, tuple[Hull, ...]] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, rows: StressRows | None, features: FloatArray) -> Stress:
        """Take over a bundle's rows; none of one that has none."""
        names = () if rows is None else rows.names
        scenarios = {} if rows is None else {n: rows.of(n).astype(np.float64) for n in names}
        return cls(scenarios, np.asarray(features[-200:], np.float64))

    @cached_property
    def _pins(self) -> tuple[_Pins, ...]:
        return tuple(found for each in self.scenarios.values() if (found := _pins(each)))

    def pinned(self, features: FloatArray) -> BoolArray:
        """Tell which columns of rows ``(n, f) float64`` some scenario pins so: ``(n, f) bool``."""
        found = np.zeros(features.shape, bool)
        for each in self._pins:
            found |= each.match(features)
        return found

    def hulls(self, columns: ColumnModel, length: int) -> tuple[Hull, ...]:
        """Return how far each scenario takes the columns in windows of a length."""
        if length not in self._hulls:
            rows = self.scenarios.values()
            self._hulls[length] = tuple(self._hull(each, columns, length) for each in rows)
        return self._hulls[length]

    def _hull(self, rows: FloatArray, columns: ColumnModel, length: int) -> Hull:
        stream = np.concatenate([self.normal[-length:], rows])
        found = [columns.relate(stream[some]) for some in _windows(len(stream), length)]
        slope = np.array([each.slope for each in found])
        level = np.array([each.level for each in found])
        return Hull(
            slope_low=slope.min(axis=0),
            slope_high=slope.max(axis=0),
            level_low=level.min(axis=0),
            level_high=level.max(axis=0),
            outside=np.max([each.outside for each in found], axis=0),
            size=np.max([each.size for each in found], axis=0),
        )


def _windows(n: int, length: int) -> Iterator[slice]:
    for start in range(0, max(n - length, 0) + 1, max(1, length // 6)):
        yield slice(start, start + length)


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
