"""The same market under two names: found, and refused."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from plumbline.bundle.array import FloatArray
from plumbline.training.bars import Bars
from plumbline.training.errors import DataError

ALIKE = 0.999
"""Correlation of returns, from which on two series are one."""
_LEAST = 50
"""Returns at common times that are needed to tell."""


def refuse_twins(bars: Sequence[Bars]) -> None:
    """Refuse two symbols of which one has the other's bars, or all but.

    Such rows would count twice wherever skill is measured, and whoever keeps one of the two for a
    test tests on what was learnt.

    Raises
    ------
    DataError
        Naming the two, and how alike they are.
    """
    for first, second in _suspects(bars):
        one, other = bars[first], bars[second]
        _, here, there = np.intersect1d(one.time, other.time, return_indices=True)
        if len(here) <= _LEAST:
            continue
        same = float((one.close[here] == other.close[there]).mean())
        left, right = np.diff(np.log(one.close[here])), np.diff(np.log(other.close[there]))
        moves = left.std() > 0 and right.std() > 0
        alike = float(np.corrcoef(left, right)[0, 1]) if moves else float(same == 1)
        if alike > ALIKE:
            raise DataError(
                f"{one.symbol} and {other.symbol} are one market under two names: in "
                f"{len(here)} common bars {same:.0%} of the closes are equal, and the returns "
                f"correlate by {alike:.5f}, expected at most {ALIKE}: leave one of the two out, "
                "or correct the column of the symbol"
            )


def _suspects(bars: Sequence[Bars]) -> list[tuple[int, int]]:
    """Return the pairs whose returns agree on a common grid of times."""
    if len(bars) < 2:
        return []
    grid = np.unique(np.concatenate([one.time for one in bars]))
    table: FloatArray = np.zeros((len(bars), len(grid)))
    for row, one in enumerate(bars):
        returns = np.diff(np.log(one.close), prepend=np.log(one.close[:1]))
        table[row, np.searchsorted(grid, one.time)] = np.clip(returns, -1, 1)
    size = np.sqrt((table**2).sum(axis=1))
    units = table / np.where(size > 0, size, 1.0)[:, None]
    common = np.array([[len(one) for one in bars]])
    short = np.minimum(common, common.T) / np.maximum(common, common.T)
    # of two series of unequal length the shorter can agree with a part of the longer only
    close = units @ units.T > 0.9 * np.sqrt(short) - 0.2 * (short < 1)
    first, second = np.nonzero(np.triu(close, 1))
    return list(zip(first.tolist(), second.tolist(), strict=True))
