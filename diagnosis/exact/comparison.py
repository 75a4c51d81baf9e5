"""Finding out how columns that arrive differ from what they should be.

Every column that is not right is put to each explanation: it holds if it makes nine rows in ten
right, to the tolerance that a right row is held to. The explanation that most columns share goes
first, so that a feed that is a bar late is called late, and not a column that carries its
neighbour. What no explanation makes right is noise on the right values, or something
else altogether.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from plumbline.bundle.array import BoolArray, FloatArray, IntArray
from plumbline.diagnosis.exact.relation import Difference, Relation, RelationKind

ROUNDING = 1e-3
"""What counts as equal, in standard deviations of the reference."""

FEWEST = 8
"""Rows without which nothing is said of a column."""

MOST = 0.9
"""Share of the rows that an explanation must make right."""

_FLOAT32 = 4 * float(np.finfo(np.float32).eps)
_FURTHEST = 60
_LIKE = 0.5
_NEAR = 0.25
_CENTRED = 0.3
_ENDS = 2
_TAPS = 5
_ROWS_A_TAP = 4


@dataclass(frozen=True)
class Scale:
    """What is usual of each column in the reference: mean and standard deviation, ``(f,)``."""

    mean: FloatArray
    deviation: FloatArray

    @classmethod
    def of(cls, features: FloatArray) -> Scale:
        """Measure columns ``(n, f)``; the deviation of a constant one is its size, or 1."""
        x = np.asarray(features, np.float64)
        if len(x) == 0:
            return cls(np.zeros(x.shape[1]), np.ones(x.shape[1]))
        spread, size = x.std(axis=0), np.abs(x).max(axis=0)
        constant = spread <= 1e-9 * size
        return cls(x.mean(axis=0), np.where(constant, np.where(size > 0, size, 1.0), spread))


def compare(
    said: FloatArray,
    expected: FloatArray,
    names: Sequence[str],
    scale: Scale,
    stretch: IntArray | None = None,
    *,
    fewest: int = FEWEST,
) -> Difference:
    """Say how columns differ from what they should be.

    Parameters
    ----------
    said, expected : (n, f)
        What came, and what should have; oldest first. NaN where it is not known.
    names
        Of the columns.
    scale
        Of the reference.
    stretch : (n,), or None
        Which rows are next to each other in time, such as those of one window; None for all.
    fewest
        Rows without which nothing is said of a column.

    Returns
    -------
    Difference
        Columns with fewer known rows are ``unknown`` in it.
    """
    n = len(said)
    whole = np.zeros(n, np.int64) if stretch is None else np.asarray(stretch)
    pairs = _Pairs(
        np.asarray(said, np.float64), np.asarray(expected, np.float64), scale, whole, fewest
    )
    found = {j: Relation(RelationKind.UNKNOWN) for j in np.flatnonzero(~pairs.known).tolist()}
    found |= {j: Relation(RelationKind.SAME) for j in np.flatnonzero(pairs.same).tolist()}
    left = [j for j in range(len(names)) if j not in found]
    offered = {j: list(pairs.explanations(j)) for j in left}
    for group, chosen in _most_shared(offered):
        found[group] = chosen
    for j in left:
        if j not in found:
            found[j] = pairs.unexplained(j)
    return Difference(tuple(names), tuple(found[j] for j in range(len(names))), n)


def _most_shared(offered: dict[int, list[Relation]]) -> Iterator[tuple[int, Relation]]:
    """Give each column the explanation that most columns share; at a tie, the one named first."""
    order = list(RelationKind)
    open_columns = {j: relations for j, relations in offered.items() if relations}
    while open_columns:
        votes = Counter(
            key for relations in open_columns.values() for key in {_key(each) for each in relations}
        )
        best = max(votes, key=lambda key: (votes[key], -order.index(key[0])))
        for j, relations in list(open_columns.items()):
            match = [each for each in relations if _key(each) == best]
            if match:
                yield j, match[0]
                del open_columns[j]


def _key(relation: Relation) -> tuple[RelationKind, float]:
    """Return what two columns share that are wrong in the same way."""
    if relation.kind is RelationKind.LATE:
        return relation.kind, float(relation.rows)
    if relation.kind in (RelationKind.SCALED, RelationKind.UNIT):
        return relation.kind, float(f"{relation.factor:.2g}")
    return relation.kind, 0.0


@dataclass(frozen=True)
class _Pairs:
    """Columns as they came and as they should be."""

    said: FloatArray
    expected: FloatArray
    scale: Scale
    stretch: IntArray
    fewest: int

    @cached_property
    def finite(self) -> BoolArray:
        known: BoolArray = np.isfinite(self.said) & np.isfinite(self.expected)
        return known

    @cached_property
    def known(self) -> BoolArray:
        """Columns with rows enough."""
        enough: BoolArray = self.finite.sum(axis=0) >= self.fewest
        return enough

    @cached_property
    def same(self) -> BoolArray:
        """Columns that are right."""
        off = np.abs(self.said - self.expected)
        close = off <= tolerance(self.expected, self.scale.deviation)
        share = (close & self.finite).sum(axis=0) / np.maximum(self.finite.sum(axis=0), 1)
        right: BoolArray = self.known & (share >= MOST)
        return right

    def _makes_right(self, j: int, guess: FloatArray, factor: float = 1.0) -> bool:
        """Whether a guess ``(n,)`` of what came, NaN where there is none, is nearly always it."""
        return bool(self._right(j, guess[None], factor)[0])

    def _right(self, j: int, guesses: FloatArray, factor: float = 1.0) -> BoolArray:
        """Tell which of some guesses ``(k, n)`` is nearly always what came."""
        off = np.abs(self.said[:, j] - guesses)
        close = off <= tolerance(guesses, abs(factor) * self.scale.deviation[j])
        known = np.isfinite(off).sum(axis=1)
        right: BoolArray = (known >= self.fewest) & (close.sum(axis=1) >= MOST * known)
        return right

    def explanations(self, j: int) -> Iterator[Relation]:
        """Yield what makes a column right, the simplest first."""
        rows = self.finite[:, j]
        said, expected = self.said[rows, j], self.expected[rows, j]
        moves = np.ptp(expected) > ROUNDING * self.scale.deviation[j]
        usual = float(np.median(said))
        if (said == usual).mean() >= MOST:
            if usual != 0 and self._tiled(j):
                yield Relation(RelationKind.TILED)
            if moves or usual == 0:
                yield Relation(RelationKind.BLANK, factor=0.0, offset=usual)
            else:
                yield Relation(RelationKind.SHIFTED, offset=usual - float(np.median(expected)))
            return
        if moves:
            yield from self._lines(j, said, expected)
        else:
            yield from self._shifts(j, said, expected)
        yield from self._others(j)
        yield from self._moments(j)
        yield from self._clips(j, said, expected)
        yield from self._mixes(j)

    def _shifts(self, j: int, said: FloatArray, expected: FloatArray) -> Iterator[Relation]:
        offset = float(np.median(said - expected))
        if self._makes_right(j, self.expected[:, j] + offset):
            yield Relation(RelationKind.SHIFTED, offset=offset)

    def _lines(self, j: int, said: FloatArray, expected: FloatArray) -> Iterator[Relation]:
        """Try a factor, an offset, and both."""
        factor = _slope(said, expected)
        if factor == 0:
            return
        offset = float(np.median(said - factor * expected))
        mean, deviation = float(self.scale.mean[j]), float(self.scale.deviation[j])
        if not self._makes_right(j, factor * self.expected[:, j] + offset, factor):
            return
        centred = abs(offset + mean / deviation) <= _CENTRED
        standard = abs(factor * deviation - 1) <= _NEAR and centred
        if standard:
            yield Relation(RelationKind.STANDARDISED, factor, offset)
        if self._makes_right(j, factor * self.expected[:, j], factor):
            yield Relation(_factor_kind(factor), _rounded(factor))
        elif abs(factor - 1) <= ROUNDING:
            yield Relation(RelationKind.SHIFTED, offset=offset)
        elif not standard:
            yield Relation(RelationKind.AFFINE, factor, offset)

    def _others(self, j: int) -> Iterator[Relation]:
        """Look for the column among those that should be."""
        known = np.isfinite(self.expected)
        most = np.where(known, self.expected, -np.inf).max(axis=0)
        moving = most > np.where(known, self.expected, np.inf).min(axis=0)
        right = self._right(j, self.expected.T) & moving
        right[j] = False
        if right.any():
            yield Relation(RelationKind.PERMUTED, column=int(right.argmax()))

    def _moments(self, j: int) -> Iterator[Relation]:
        """Look for the column's own values at other moments."""
        expected = self.expected[:, j]
        if not np.ptp(expected[np.isfinite(expected)]) > 0:
            return
        longest = int(np.bincount(self.stretch).max())
        furthest = min(longest - 1, _FURTHEST)
        ways = [way for rows in range(1, furthest + 1) for way in (rows, -rows)]
        if ways:
            right = self._right(j, np.stack([self._moved(expected, way) for way in ways]))
            for place in np.flatnonzero(right).tolist():
                yield Relation(RelationKind.LATE, rows=ways[place])
        order = np.arange(len(expected))
        for each in np.unique(self.stretch):
            own = np.flatnonzero(self.stretch == each)
            order[own] = own[::-1]
        if self._makes_right(j, expected[order]):
            yield Relation(RelationKind.REVERSED)
        if self._tiled(j):
            yield Relation(RelationKind.TILED)

    def _moved(self, values: FloatArray, rows: int) -> FloatArray:
        """Return values so many rows late, NaN where they come from another stretch."""
        moved = np.full(len(values), np.nan)
        a, b = (slice(rows, None), slice(None, -rows))
        if rows < 0:
            a, b = slice(None, rows), slice(-rows, None)
        moved[a] = np.where(self.stretch[a] == self.stretch[b], values[b], np.nan)
        return moved

    def _tiled(self, j: int) -> bool:
        """Whether each stretch repeats one value; of a single one, its last or first."""
        said, expected = self.said[:, j], self.expected[:, j]
        stretches = [self.stretch == each for each in np.unique(self.stretch)]
        if any(np.ptp(said[rows]) > 0 for rows in stretches):
            return False
        near = np.abs(expected[[0, -1]] - said[0]) <= ROUNDING * self.scale.deviation[j]
        return len({said[rows][0] for rows in stretches}) > 1 or bool(near.any())

    def _clips(self, j: int, said: FloatArray, expected: FloatArray) -> Iterator[Relation]:
        """Try whether what is farther out has been brought back to one value on its side."""
        low, high = float(said.min()), float(said.max())
        below, above = expected < low, expected > high
        if not self._makes_right(j, np.clip(self.expected[:, j], low, high)):
            return
        if (below | above).sum() >= _ENDS:
            yield Relation(
                RelationKind.CLIPPED,
                low=low if below.any() else -math.inf,
                high=high if above.any() else math.inf,
            )

    def _mixes(self, j: int) -> Iterator[Relation]:
        """Try averages: of the column's own row and few before it, or with what came before."""
        said, expected = self.said[:, j], self.expected[:, j]
        lags = [self._moved(expected, rows) for rows in range(1, _TAPS)]
        itself = [self._moved(said, 1)]
        for before in (itself, *(lags[: i + 1] for i in range(len(lags)))):
            parts = np.stack([expected, *before], axis=1)
            known = np.isfinite(parts).all(axis=1) & self.finite[:, j]
            if known.sum() < max(_ROWS_A_TAP * parts.shape[1], self.fewest):
                return
            weights = np.linalg.lstsq(parts[known], said[known], rcond=None)[0]
            if self._makes_right(j, parts @ weights):
                own = tuple(weights.tolist())
                yield Relation(RelationKind.MIXED, weights=own, mixes_itself=before is itself)
                return

    def unexplained(self, j: int) -> Relation:
        """Tell noise on the right values from something else."""
        rows = self.finite[:, j]
        said, expected = self.said[rows, j], self.expected[rows, j]
        if np.ptp(said) == 0 or np.ptp(expected) == 0:
            return Relation(RelationKind.OTHER)
        alike = float(np.corrcoef(said, expected)[0, 1])
        return Relation(RelationKind.NOISE if alike >= _LIKE else RelationKind.OTHER)


def tolerance(expected: FloatArray, deviation: FloatArray | float) -> FloatArray:
    """Return by how much a right number may be off: rounding in deviations, and float32's own."""
    allowed: FloatArray = ROUNDING * np.asarray(deviation) + _FLOAT32 * np.abs(expected)
    return allowed


def _slope(said: FloatArray, expected: FloatArray) -> float:
    """Return the median slope between rows half the sample apart: a tenth cannot bend it."""
    half = len(said) // 2
    order = np.argsort(expected, kind="stable")
    low, high = order[:half], order[-half:]
    run = expected[high] - expected[low]
    steep = run > 0
    if not steep.any():
        return 0.0
    return float(np.median((said[high] - said[low])[steep] / run[steep]))


def _factor_kind(factor: float) -> RelationKind:
    if abs(factor + 1) <= ROUNDING:
        return RelationKind.SIGN
    power = math.log10(abs(factor))
    if factor > 0 and abs(power) >= 1 - ROUNDING and abs(power - round(power)) <= ROUNDING:
        return RelationKind.UNIT
    return RelationKind.SCALED


def _rounded(factor: float) -> float:
    """Return the factor without the noise of its estimate."""
    return float(f"{factor:.4g}")
