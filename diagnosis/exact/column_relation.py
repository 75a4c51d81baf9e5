"""What became of a column: from numbers that differ to the words that say how.

A client that computes a column wrongly computes it wrongly in a way that has a name: in per cent,
with the other sign, standardised already, of the bar before, in another column's place. The name is
found by trying each: it holds if it makes nearly all rows right, to the tolerance that right rows
are held to. So a name is arithmetic, not a likeness; what has none is only said to differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal, TypeAlias

import numpy as np

from plumbline.bundle.array import BoolArray, FloatArray

MOST: Final = 0.8
"""Share of the rows that a relation must make right, and that must be wrong without it."""

SHARE: Final = 1e-3
"""By how many standard deviations of the reference a right number may differ."""

_FLOAT32 = 4 * float(np.finfo(np.float32).eps)
_ROUND = 1e-3
_NEAR = 0.05

Kind: TypeAlias = Literal[
    "constant", "another", "column", "sign", "standardised", "scaled", "shifted", "affine"
]


@dataclass(frozen=True)
class ColumnRelation:
    """How a column that is wrong follows from what it should be.

    Attributes
    ----------
    kind
        ``another`` is one of the alternatives given: another bar, another symbol.
    text
        What the column is: ``1.5 times what it should be``.
    """

    kind: Kind
    text: str

    @property
    def affine(self) -> bool:
        """Whether a revised bar could have the same effect while a rolling mean remembers it."""
        return self.kind in ("standardised", "scaled", "shifted", "affine")


@dataclass(frozen=True)
class Yardstick:
    """What a column's differences are counted in, and how the graph standardises it.

    Attributes
    ----------
    scale : (f,) float64
        Standard deviation in the reference.
    mean, deviation : (f,) float64
        Of the scaler, or of the reference.
    """

    scale: FloatArray
    mean: FloatArray
    deviation: FloatArray


@dataclass(frozen=True)
class SentColumns:
    """Columns as they were sent, and as they should be.

    Attributes
    ----------
    names
        Of the columns.
    found, expected : (n, f) float64
        What was sent, and what it should be; finite.
    yardstick
        Of the columns.
    """

    names: tuple[str, ...]
    found: FloatArray
    expected: FloatArray
    yardstick: Yardstick

    def equal(self, j: int, other: FloatArray, scale: float) -> bool:
        """Whether a column is another in nearly all rows; NaN equals nothing."""
        right = np.abs(self.found[:, j] - other) <= tolerance(other, scale)
        return bool(right.mean() >= MOST)


def tolerance(expected: FloatArray, scale: FloatArray | float) -> FloatArray:
    """Return by how much a number may differ: a share of the scale, and float32's rounding."""
    allowed: FloatArray = SHARE * np.asarray(scale) + _FLOAT32 * np.abs(expected)
    return allowed


def name_relations(
    sent: SentColumns, wrong: BoolArray, alternatives: Iterable[tuple[str, FloatArray]]
) -> dict[int, ColumnRelation]:
    """Say how each of some columns follows from what it should be.

    Parameters
    ----------
    sent
        The rows.
    wrong : (f,) bool
        Columns that are wrong in `MOST` rows.
    alternatives
        Other rows ``(n, f)`` that may have been sent in place of these, NaN where there are none,
        each with what it is: ``of 5 bars before``.

    Returns
    -------
    By column, those that have a name.
    """
    left = {int(j) for j in np.flatnonzero(wrong)}
    named: dict[int, ColumnRelation] = {}

    def settle(find: Callable[[int], ColumnRelation | None]) -> None:
        for j in sorted(left):
            if (relation := find(j)) is not None:
                named[j] = relation
                left.discard(j)

    settle(partial(_constant, sent))
    explained = _explained(sent, left, alternatives)
    # A column of the clock is another one some hours ago: whole rows first, then columns.
    for text, columns in explained:
        if 2 * len(columns) >= len(left):
            settle(partial(_another, text, columns))
    settle(partial(_elsewhere, sent))
    for text, columns in explained:
        settle(partial(_another, text, columns))
    settle(partial(_line, sent))
    return named


def _explained(
    sent: SentColumns, columns: set[int], alternatives: Iterable[tuple[str, FloatArray]]
) -> list[tuple[str, set[int]]]:
    """Return which columns each alternative makes right; what explains the most comes first."""
    found = []
    for text, other in alternatives if columns else ():
        same = {j for j in columns if sent.equal(j, other[:, j], float(sent.yardstick.scale[j]))}
        if same:
            found.append((text, same))
    return sorted(found, key=lambda each: -len(each[1]))


def _constant(sent: SentColumns, j: int) -> ColumnRelation | None:
    found, expected = sent.found[:, j], sent.expected[:, j]
    usual = float(np.median(found))
    if (found == usual).mean() < MOST or (expected == np.median(expected)).mean() >= MOST:
        return None
    return ColumnRelation("constant", f"{usual:.6g} in every row")


def _another(text: str, columns: set[int], j: int) -> ColumnRelation | None:
    return ColumnRelation("another", text) if j in columns else None


def _elsewhere(sent: SentColumns, j: int) -> ColumnRelation | None:
    """Look for the column in another one's place."""
    for i, name in enumerate(sent.names):
        other = sent.expected[:, i]
        if i != j and np.ptp(other) > 0 and sent.equal(j, other, float(sent.yardstick.scale[i])):
            return ColumnRelation("column", f"what {name} should be")
    return None


def _line(sent: SentColumns, j: int) -> ColumnRelation | None:
    """Fit a line that a fifth of the rows cannot bend, and name it if it is exact."""
    found, expected, scale = sent.found[:, j], sent.expected[:, j], float(sent.yardstick.scale[j])
    half = len(found) // 2
    run = expected[half : 2 * half] - expected[:half]
    moved = np.abs(run) > tolerance(expected[:half], scale)
    if not moved.any():
        return None
    slope = float(np.median((found[half : 2 * half] - found[:half])[moved] / run[moved]))
    shift = float(np.median(found - slope * expected))
    if slope == 0 or not sent.equal(j, slope * expected + shift, abs(slope) * scale):
        return None
    mean, deviation = float(sent.yardstick.mean[j]), float(sent.yardstick.deviation[j])
    standard = abs(slope * deviation - 1) <= _NEAR
    if standard and abs(shift * deviation + mean) <= _NEAR * deviation:
        text = "standardised already, which the model does itself"
        return ColumnRelation("standardised", text)
    return _name_line(slope, shift, passes_zero=abs(shift) <= 3 * SHARE * abs(slope) * scale)


def _name_line(slope: float, shift: float, *, passes_zero: bool) -> ColumnRelation:
    if passes_zero and abs(slope + 1) <= _ROUND:
        return ColumnRelation("sign", "what it should be with the other sign")
    if passes_zero:
        return ColumnRelation("scaled", f"{slope:.4g} times what it should be")
    if abs(slope - 1) <= _ROUND:
        more = "more" if shift > 0 else "less"
        return ColumnRelation("shifted", f"{abs(shift):.4g} {more} than it should be")
    sign = "+" if shift > 0 else "−"
    text = f"{slope:.4g} times what it should be {sign} {abs(shift):.4g}"
    return ColumnRelation("affine", text)
