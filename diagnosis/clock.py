"""Columns that are a function of the clock: the same at the same time of every week."""

from __future__ import annotations

import numpy as np

from plumbline.bundle.array import BoolArray, FloatArray, IntArray

WEEK = 604_800_000_000
"""Microseconds."""

_SAME = 1e-5
_REPEATED = 0.5
"""Share of rows that must have another one at their time of the week."""


def clock_columns(features: FloatArray, bar_time: IntArray) -> BoolArray:
    """Tell which columns of rows ``(n, f)`` the time of the week alone decides: ``(f,)``.

    Markets have no part in them. None is found in rows too few to have met again.
    """
    x = np.asarray(features, np.float64)
    _, code, counts = np.unique(bar_time % WEEK, return_inverse=True, return_counts=True)
    if not len(x) or counts[counts > 1].sum() < _REPEATED * len(x):
        return np.zeros(x.shape[1], bool)
    order = np.argsort(code, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    spread = np.maximum.reduceat(x[order], starts) - np.minimum.reduceat(x[order], starts)
    scale = x.std(axis=0)
    clock: BoolArray = (spread.max(axis=0) <= _SAME * scale) & (scale > 0)
    return clock
