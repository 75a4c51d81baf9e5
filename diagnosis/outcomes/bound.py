"""Bounds for means of bounded scores that hold at all times at once.

References
----------
Waudby-Smith and Ramdas (2024), "Estimating Means of Bounded Random Variables by Betting", JRSS-B,
theorem 2 (predictable plug-in empirical Bernstein confidence sequence) and equation 26 (its bets).
"""

from __future__ import annotations

from math import log

import numpy as np

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.finding import Interval

_LARGEST = 0.5


class Bounds:
    """A confidence sequence for the mean of every score, class by class, averaged at the end.

    With probability ``level`` the intervals hold at all times, of whatever the mean of a score has
    been, given the past, on average over its bets; of each class with its share of what is left,
    so that the classes may depend on each other as they like. The average weighs by the size of the
    bets, which shrinks as they go on.

    Parameters
    ----------
    scores, classes
        How many.
    level
        Coverage.
    """

    def __init__(self, scores: int, *, classes: int, level: float = 0.95) -> None:
        self.level = level
        self._room = log(2.0 * classes / (1.0 - level))
        shape = (classes, scores)
        self._n = np.zeros(shape)
        self._sum, self._square = np.zeros(shape), np.zeros(shape)
        self._weight, self._weighted, self._spent = (np.zeros(shape) for _ in range(3))

    def take(self, scores: FloatArray, classes: IntArray) -> None:
        """Add the scores of a block of each of some classes.

        Parameters
        ----------
        scores : (b, s) float64
            Between -1 and 1, NaN where there is none.
        classes : (b,) int64
            Each once.
        """
        known = np.isfinite(scores)
        x = np.where(known, (scores + 1.0) / 2.0, 0.0)
        t = self._n[classes] + 1.0
        mean = (0.5 + self._sum[classes]) / t
        variance = (0.25 + self._square[classes]) / t
        bet = np.minimum(np.sqrt(2.0 * self._room / (variance * t * np.log1p(t))), _LARGEST)
        bet = np.where(known, bet, 0.0)
        self._weight[classes] += bet
        self._weighted[classes] += bet * x
        self._spent[classes] += (x - mean) ** 2 * (-np.log1p(-bet) - bet)
        self._n[classes] += known
        self._sum[classes] += x
        after = (0.5 + self._sum[classes]) / (self._n[classes] + 1.0)
        self._square[classes] += np.where(known, (x - after) ** 2, 0.0)

    def counts(self) -> FloatArray:
        """Return how many bets each score has seen, ``(s,)``."""
        counted: FloatArray = self._n.sum(axis=0)
        return counted

    def ends(self) -> tuple[FloatArray, FloatArray]:
        """Return lower and upper ends, ``(s,)`` each, between -1 and 1; NaN without any bet."""
        seen = self._n > 0
        weight = np.where(seen, self._weight, 1.0)
        centre = self._weighted / weight
        width = (self._room + self._spent) / weight
        low = np.where(seen, np.maximum(centre - width, 0.0), np.nan)
        high = np.where(seen, np.minimum(centre + width, 1.0), np.nan)
        some = np.atleast_1d(seen.any(axis=0))
        out = np.full((2, len(some)), np.nan)
        if some.any():
            out[0, some] = np.nanmean(low[:, some], axis=0)
            out[1, some] = np.nanmean(high[:, some], axis=0)
        return 2.0 * out[0] - 1.0, 2.0 * out[1] - 1.0

    def interval(self, place: int, *, scale: float = 1.0, shift: float = 0.0) -> Interval | None:
        """Return the interval of one score in units of its own; None before its first bet."""
        low, high = (float(end[place]) for end in self.ends())
        if not np.isfinite(low):
            return None
        return Interval(low=shift + scale * low, high=shift + scale * high, level=self.level)
