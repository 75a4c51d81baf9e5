"""How likely each watched event may be at most, given the recent past of the stream.

Market predictions persist. Held against the marginal rate of an event, a healthy run of it looks
like overwhelming evidence. So the bound, learnt from the reference, depends on a *context*: whether
the event occurred at the last row, and how often it occurred lately (an exponential average, in
eleven levels). Bounds are used, not estimates: a reference of a few thousand rows does not know its
own rates exactly.
"""

from __future__ import annotations

import numpy as np

from plumbline.bundle.array import AnyArray, BoolArray, FloatArray, IntArray
from plumbline.diagnosis.lanes import Lanes, lay_out

LEVELS = 11
FORGET = 1.0 - 0.5 ** (1.0 / 12.0)
"""Weight of the newest row in the exponential average: a half-life of 12 rows."""

CELL_ROWS = 60
POOL_ROWS = 20
UNSEEN = 0.30
"""Bound on the persistence of an event whose persistence the reference hardly shows."""

NEVER = 0.05
"""The same for an event that the reference never shows."""

NO_EVENT = -1
"""In an event array: nothing can be said of this row, so nothing is bet on it."""


def bound(on: AnyArray, rows: AnyArray) -> FloatArray:
    """Upper confidence bound of event rates, about 99 % each.

    ``u = min(1, p + 2.33 sqrt(2 p (1 - p) / n) + 3 / n)`` with ``p = on / rows``; the factor 2
    allows for dependence between rows, ``3 / n`` is the rule of three for an event not seen.

    References
    ----------
    Hanley and Lippman-Hand (1983), "If Nothing Goes Wrong, Is Everything All Right?".
    """
    n = np.maximum(np.asarray(rows, np.float64), 1.0)
    p = np.asarray(on, np.float64) / n
    upper: FloatArray = p + 2.33 * np.sqrt(2 * p * (1 - p) / n) + 3 / n
    return np.minimum(upper, 1.0)


def level_of(average: FloatArray) -> IntArray:
    """Level 0 to 10 of exponential averages between 0 and 1.

    An average of exactly a quarter or three quarters, as after two half-lives, lies on the border
    of two levels; rounding must not decide which it is.
    """
    return (np.asarray(average) * (LEVELS - 1) + (0.5 + 1e-9)).astype(np.int64)


def follow_contexts(
    events: IntArray, lanes: Lanes, start: FloatArray
) -> tuple[FloatArray, IntArray]:
    """Follow the recent past of events.

    Parameters
    ----------
    events : (n, j) int8
        In the order of the walk.
    lanes
        Of the rows.
    start : (streams, 2 j) float64
        Exponential averages, and beside them the last events.

    Returns
    -------
    after : (n, 2 j) float64
        The same after each row.
    context : (n, j) int64
        ``last · LEVELS + level`` before it.
    """
    bets = events.shape[1]
    seen = events != NO_EVENT
    on = np.where(seen, events, 0).astype(np.float64)
    factor = np.hstack([np.where(seen, 1.0 - FORGET, 1.0), np.where(seen, 0.0, 1.0)])
    after = lanes.affine(factor, np.hstack([FORGET * on, on]), start)
    before = lanes.before(after, start)
    last = before[:, bets:].astype(np.int64)
    return after, last * LEVELS + level_of(before[:, :bets])


def count_contexts(events: IntArray, breaks: BoolArray) -> tuple[IntArray, IntArray]:
    """Count rows and events in each context.

    Parameters
    ----------
    events : (n, j) int8
        1 on, 0 off, `NO_EVENT` where undefined.
    breaks : (n,) bool
        True where a row begins another symbol: the past is forgotten there.

    Returns
    -------
    rows, on : (j, 2, LEVELS) int64
        By bet, last event, and level.
    """
    bets = events.shape[1]
    begins = np.append(True, breaks[1:])
    lanes = lay_out(np.cumsum(begins))
    start = np.zeros((len(lanes.heads), 2 * bets))
    contexts = follow_contexts(events[lanes.order], lanes, start)[1][lanes.place]
    rows = np.zeros((bets, 2 * LEVELS), np.int64)
    on = np.zeros((bets, 2 * LEVELS), np.int64)
    for j in range(bets):
        seen = events[:, j] != NO_EVENT
        rows[j] = np.bincount(contexts[seen, j], minlength=2 * LEVELS)
        on[j] = np.bincount(contexts[seen & (events[:, j] == 1), j], minlength=2 * LEVELS)
    return rows.reshape(bets, 2, LEVELS), on.reshape(bets, 2, LEVELS)


def fit_null(events: IntArray, breaks: BoolArray) -> FloatArray:
    """Bound on every event in every context.

    A cell with fewer than `CELL_ROWS` rows takes the larger of the bound of all rows with the same
    last event and the bounds of the nearest well-filled cells beside it.

    Returns
    -------
    (j, 2, LEVELS) float64
        Between 0 and 1; a bound of 1 cannot be bet against.
    """
    rows, on = count_contexts(events, breaks)
    upper = bound(on, rows)
    for j in range(len(rows)):
        never = on[j].sum() == 0
        for last in (0, 1):
            pooled = _pooled(rows[j, last].sum(), on[j, last].sum(), last, never=bool(never))
            thick = rows[j, last] >= CELL_ROWS
            for level in np.flatnonzero(~thick).tolist():
                upper[j, last, level] = max(pooled, _beside(upper[j, last], thick, level))
    return upper


def _pooled(rows: int, on: int, last: int, *, never: bool) -> float:
    if rows >= POOL_ROWS:
        return float(bound(np.array(on), np.array(rows)))
    if last == 0:
        return 1.0
    return NEVER if never else UNSEEN


def _beside(upper: FloatArray, thick: BoolArray, level: int) -> float:
    """Return the larger bound of the nearest thick cells below and above; 0 without any."""
    filled = np.flatnonzero(thick)
    below, above = filled[filled < level][-1:], filled[filled > level][:1]
    return max((float(upper[each]) for each in (*below, *above)), default=0.0)
