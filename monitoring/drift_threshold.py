"""How far a column may be from its reference before a person is told that it has drifted.

A test that takes rows for independent finds nearly every column of a healthy market drifted: two
hundred bars in a row are one week, and no week is the year. So the reference is asked itself: its
own stretches, as long as the sample and cut as the sample comes, are held against the rest of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.spatial.distance import jensenshannon
from scipy.stats import wasserstein_distance

from plumbline.bundle.array import AnyArray, FloatArray, IntArray
from plumbline.bundle.reference import ReferenceProfile

SLACK: Final = 2.0
"""Times the largest distance of any stretch: the next year is not among them."""

FLOOR: Final = 0.1
"""Evidently's own threshold; no column has drifted that is nearer."""

_STRETCHES = 12
_SMALLEST_SCALE = 0.001  # as Evidently takes it


@dataclass(frozen=True)
class DriftThresholds:
    """Distances from which on columns have drifted.

    Attributes
    ----------
    numbers : (k,) float64
        Of the numeric columns: Wasserstein distance, in the reference's standard deviations.
    action
        Of the actions: Jensen-Shannon distance.
    length, stretches
        Rows of a stretch of the reference, and how many were looked at.
    """

    numbers: FloatArray
    action: float
    length: int
    stretches: int

    @property
    def sentence(self) -> str:
        """Say where they come from."""
        return (
            "A column has drifted if its distance from the reference is more than "
            f"{SLACK:g} times the largest that any of {self.stretches} stretches of "
            f"{self.length} rows of the reference has from the rest of it, and at least {FLOOR:g}: "
            "Wasserstein distance in standard deviations, of actions the Jensen-Shannon distance."
        )


def in_time_order(reference: ReferenceProfile, symbols: AnyArray) -> ReferenceProfile:
    """Return the reference as a live stream comes: interleaved, and of these symbols alone.

    Of symbols that the reference does not know, nothing can be told apart: all rows then.
    """
    known = np.isin(reference.symbol, symbols)
    if not known.any() or not np.isin(symbols, reference.symbol).all():
        known[:] = True
    rows: IntArray = np.flatnonzero(known)
    return reference.take(rows[np.argsort(reference.bar_time[rows], kind="stable")])


def fit_thresholds(numbers: FloatArray, action: IntArray, rows: int) -> DriftThresholds:
    """Measure stretches of a reference against the rest of it.

    Parameters
    ----------
    numbers : (n, k) float64
        Its numeric columns, in time order.
    action : (n,) int
        Its actions; -1 where there are none.
    rows
        Of the sample that will be held against it. Stretches are as long, or half of the
        reference, where that is shorter.
    """
    length = max(min(rows, len(numbers) // 2), 1)
    starts = np.unique(np.linspace(0, len(numbers) - length, _STRETCHES).round().astype(int))
    largest, largest_action = np.zeros(numbers.shape[1]), 0.0
    for start in starts:
        inside = np.zeros(len(numbers), dtype=bool)
        inside[start : start + length] = True
        found = [distance(numbers[~inside, j], numbers[inside, j]) for j in range(numbers.shape[1])]
        largest = np.maximum(largest, found)
        between = action_distance(action[~inside], action[inside])
        largest_action = max(largest_action, between)
    return DriftThresholds(
        numbers=np.maximum(SLACK * largest, FLOOR),
        action=max(SLACK * largest_action, FLOOR),
        length=length,
        stretches=len(starts),
    )


def distance(reference: FloatArray, current: FloatArray) -> float:
    """Return the first Wasserstein distance in standard deviations, as Evidently counts it."""
    scale = max(float(np.std(reference)), _SMALLEST_SCALE)
    return float(wasserstein_distance(reference, current)) / scale


def action_distance(reference: IntArray, current: IntArray) -> float:
    """Return the Jensen-Shannon distance of the shares of actions, as Evidently counts it."""
    kinds = np.unique(np.concatenate([reference, current]))
    shares = [
        (side[:, None] == kinds).mean(axis=0) if len(side) else np.full(len(kinds), 1 / len(kinds))
        for side in (reference, current)
    ]
    found = float(jensenshannon(*shares))
    return found if np.isfinite(found) else 0.0
