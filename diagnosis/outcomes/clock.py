"""What somebody would say who looks at nothing but the clock."""

from __future__ import annotations

import numpy as np

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.moment import SECOND

HOURS, DAYS = 24, 7
TRUST = 20.0
"""Independent rows after which an hour is believed as much as the whole; a cell, as its hour."""

_HOUR = 3_600 * SECOND
_THURSDAY = 3  # of the first day of 1970, Monday being 0


def cell_of(times: IntArray) -> IntArray:
    """Return the hour of the week of each moment: ``(n,)``, Monday's first hour is 0."""
    hours = np.asarray(times, np.int64) // _HOUR
    day = (hours // HOURS + _THURSDAY) % DAYS
    cells: IntArray = day * HOURS + hours % HOURS
    return cells


def means_by_clock(numbers: FloatArray, times: IntArray, *, overlap: int) -> FloatArray:
    """Return the mean of some numbers in each hour of the week, as far as it can be believed.

    Each hour of the day is drawn to the mean of all rows, and each hour of the week to that of its
    hour of the day, the more the fewer rows there are.

    Parameters
    ----------
    numbers : (n, d) floating
        Finite.
    times : (n,) int64
        Microseconds since 1970 UTC.
    overlap
        How many rows in a row say nearly the same, since their outcomes overlap.

    Returns
    -------
    (168, d) float64
    """
    cells = cell_of(times)
    trust = TRUST * overlap
    whole = numbers.mean(axis=0)
    hours = _drawn(numbers, cells % HOURS, np.tile(whole, (HOURS, 1)), trust)
    return _drawn(numbers, cells, np.tile(hours, (DAYS, 1)), trust)


def _drawn(numbers: FloatArray, code: IntArray, towards: FloatArray, trust: float) -> FloatArray:
    """Return group means drawn towards others, ``(groups, d)``."""
    count = np.bincount(code, minlength=len(towards))
    sums = np.stack(
        [np.bincount(code, column, minlength=len(towards)) for column in numbers.T], axis=1
    )
    drawn: FloatArray = (sums + trust * towards) / (count[:, None] + trust)
    return drawn
