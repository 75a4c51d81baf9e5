"""Whether a row goes on from the one before it, or is of somewhere else.

Most columns remember many bars, and move little from one to the next. How far they move together is
measured in the reference: from a bar to the next, and from any to any other. A row that moves less
than any other does from elsewhere goes on, whatever its clock says.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.reference import ReferenceProfile

_PAIRS = 20_000
_APART = 200
_ELSEWHERE, _NEXT = 0.001, 0.5
_MOST = 10.0
"""Times the usual step of a column: farther says no more."""


@dataclass(frozen=True)
class Sequel:
    """How far columns move from a row to the next.

    Attributes
    ----------
    columns : (k,) int64
        Places of those that are looked at.
    usual : (k,) float64
        How far each usually moves.
    limit
        What goes on moves less; zero where the reference cannot tell.
    """

    columns: IntArray
    usual: FloatArray
    limit: float

    @classmethod
    def learn(cls, reference: ReferenceProfile, interval: int, timed: IntArray) -> Sequel:
        """Measure the columns that the time does not decide."""
        features = np.asarray(reference.features, np.float64)
        columns = np.setdiff1d(np.arange(features.shape[1]), timed)
        follows = (reference.symbol[1:] == reference.symbol[:-1]) & (
            np.diff(reference.bar_time) == interval
        )
        first, second = features[:-1][follows][:, columns], features[1:][follows][:, columns]
        if len(first) < 2 or not len(columns):
            return cls(columns, np.ones(len(columns)), 0.0)
        usual = np.abs(second - first).mean(axis=0)
        columns, usual = columns[usual > 0], usual[usual > 0]
        one, other = np.random.default_rng(0).integers(0, len(features), (2, _PAIRS))
        apart = np.abs(one - other) > min(_APART, len(features) // 4)
        found = cls(columns, usual, 0.0)
        elsewhere = found.moved(features[one[apart]], features[other[apart]])
        far = np.quantile(elsewhere, _ELSEWHERE)
        near = np.quantile(found.moved(features[:-1][follows], features[1:][follows]), _NEXT)
        return cls(columns, usual, float(far) if near < far else 0.0)

    def moved(self, before: FloatArray, now: FloatArray) -> FloatArray:
        """Return how far rows have moved, ``(..., f)`` to ``(...)``, in usual steps."""
        step = np.abs(np.asarray(now - before, np.float64)[..., self.columns]) / self.usual
        far: FloatArray = np.minimum(step, _MOST).mean(axis=-1)
        return far

    def goes_on(self, before: FloatArray, now: FloatArray) -> bool:
        """Whether a row ``(f,)`` goes on from the one before it."""
        return bool(self.moved(before, now) < self.limit)
