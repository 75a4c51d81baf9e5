"""How far back the figures made of live answers look: sixty bars at least, whatever a bar is.

Said once, for the rules that make the figures and for the reference they are held against: a band
of shorter stretches would be wider than anything the figure can show. A market that closes has its
sixty bars later than one that never does, which the reference knows and the bar interval does not.
"""

from __future__ import annotations

import numpy as np

from plumbline.bundle.array import IntArray

WINDOWS = {
    "1h": 3_600,
    "6h": 21_600,
    "1d": 86_400,
    "7d": 604_800,
    "30d": 2_592_000,
    "90d": 7_776_000,
}
"""The windows there are, in seconds."""

BARS = 60
_MICROSECOND = 1_000_000


def fitting_seconds(times: IntArray, interval_seconds: int) -> int:
    """Return the shortest window in which sixty bars usually come; the longest if none has them.

    Parameters
    ----------
    times : (n,) int64
        Of the reference's rows, ascending, in microseconds; of all symbols, and with the nights
        and weekends of their market.
    interval_seconds
        From one bar to the next: where the reference is shorter than a window, bars that follow
        each other without a pause are supposed.
    """
    moments = np.unique(times)
    for seconds in WINDOWS.values():
        bars = usual_rows(moments, seconds, interval_seconds)
        if (seconds // interval_seconds if bars is None else bars) >= BARS:
            return seconds
    return seconds


def usual_rows(times: IntArray, seconds: int, interval_seconds: int) -> int | None:
    """Return how many rows there usually are in so much time; None if there never was so much."""
    window = seconds * _MICROSECOND
    ends = times[times >= times[0] + window - interval_seconds * _MICROSECOND]
    if not len(ends):
        return None
    within = np.searchsorted(times, ends, "right") - np.searchsorted(times, ends - window, "right")
    return int(np.median(within))
