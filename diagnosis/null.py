"""How likely each watched event may be at most, given the recent past of the stream.

Market predictions persist. Held against the marginal rate of an event, a healthy run of it looks
like overwhelming evidence. So the bound, learnt from the reference, depends on a *context*: whether
the event occurred at the last row, and how often it occurred lately (an exponential average, in
eleven levels). Bounds are used, not estimates: a reference of a few thousand rows does not know its
own rates exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from plumbline.bundle.array import AnyArray, BoolArray, FloatArray, IntArray
from plumbline.diagnosis.lanes import Lanes, lay_out

LEVELS = 11
FORGET = 1.0 - 0.5 ** (1.0 / 12.0)
"""Weight of the newest row in the exponential average: a half-life of 12 rows."""

CELL_ROWS = 60
POOL_ROWS = 20
STRETCH = 200
"""Rows of the reference whose rates are compared with those of the next ones."""

CELLS = 2 * LEVELS
UNSEEN = 0.30
"""Bound on the persistence of an event whose persistence the reference hardly shows."""

NEVER = 0.05
"""The same for an event that the reference never shows."""

ALWAYS = 0.98
"""Bound on the persistence of an event that has occurred at every row for a while."""

NO_EVENT = -1
"""In an event array: nothing can be said of this row, so nothing is bet on it."""


def bound(on: AnyArray, rows: AnyArray, unrest: AnyArray | float = 0.0) -> FloatArray:
    """Upper bound of event rates: about 99 % of what is known of each, and of where it may be.

    ``u = min(1, p + 2.33 sqrt(2 p (1 - p) / n + v) + 3 / n)`` with ``p = on / rows``; the factor 2
    allows for dependence between rows, ``3 / n`` is the rule of three for an event not seen, and
    ``v`` is how much the rate differs from stretch to stretch: what is bounded is the rate in any
    of them, not their mean.

    References
    ----------
    Hanley and Lippman-Hand (1983), "If Nothing Goes Wrong, Is Everything All Right?".
    """
    n = np.maximum(np.asarray(rows, np.float64), 1.0)
    p = np.asarray(on, np.float64) / n
    upper: FloatArray = p + 2.33 * np.sqrt(2 * p * (1 - p) / n + unrest) + 3 / n
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


@dataclass(frozen=True)
class Counts:
    """How often each context occurred in a reference, and the event in it.

    Attributes
    ----------
    rows, on : (j, 2, LEVELS) int64
        By bet, last event, and level.
    unrest : (j, 2, LEVELS) float64
        Variance of the event's rate between stretches of the reference, beyond that of counting.
    """

    rows: IntArray
    on: IntArray
    unrest: FloatArray


def count_contexts(events: IntArray, breaks: BoolArray) -> Counts:
    """Count rows and events in each context.

    Parameters
    ----------
    events : (n, j) int8
        1 on, 0 off, `NO_EVENT` where undefined.
    breaks : (n,) bool
        True where a row begins another symbol: the past is forgotten there.

    References
    ----------
    Kleinman (1973), "Proportions with Extraneous Variance", JASA 68: the moments of rates that
    differ between groups.
    """
    n, bets = events.shape
    begins = np.append(True, breaks[1:])
    lanes = lay_out(np.cumsum(begins))
    start = np.zeros((len(lanes.heads), 2 * bets))
    contexts = follow_contexts(events[lanes.order], lanes, start)[1][lanes.place]
    stretches = -(-n // STRETCH)
    shape = (bets, CELLS, stretches)
    rows, on = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    where = contexts * stretches + (np.arange(n) // STRETCH)[:, None]
    for j in range(bets):
        seen = events[:, j] != NO_EVENT
        size = CELLS * stretches
        rows[j] = np.bincount(where[seen, j], minlength=size).reshape(shape[1:])
        hit = seen & (events[:, j] == 1)
        on[j] = np.bincount(where[hit, j], minlength=size).reshape(shape[1:])
    cells = (bets, 2, LEVELS)
    return Counts(
        rows=rows.sum(axis=2).reshape(cells),
        on=on.sum(axis=2).reshape(cells),
        unrest=_unrest(rows, on).reshape(cells),
    )


def _unrest(rows: IntArray, on: IntArray) -> FloatArray:
    """Variance of rates between stretches: ``(..., stretches)`` to ``(...) float64``."""
    whole = rows.sum(axis=-1)
    p = on.sum(axis=-1) / np.maximum(whole, 1)
    between = ((on - p[..., None] * rows) ** 2).sum(axis=-1) - whole * p * (1 - p)
    pairs = (rows * (rows - 1)).sum(axis=-1)
    found: FloatArray = np.maximum(between / np.maximum(pairs, 1), 0.0)
    return found


def fit_null(
    events: IntArray,
    breaks: BoolArray,
    *,
    wider: Sequence[int] | None = None,
    lasting: Sequence[float] | None = None,
) -> FloatArray:
    """Bound on every event in every context.

    A cell with fewer than `CELL_ROWS` rows takes the largest of what may stand for it: the bound
    of all rows like it; the bounds of the nearest well-filled cells beside it; how often the event
    has occurred lately, since in a stretch such as the reference hardly shows it may go on as it
    did; and how long the event that it is a part of lasts, since an extreme event is not taken to
    end sooner than a less extreme one only because the reference has seen it too seldom to tell.

    Parameters
    ----------
    events, breaks
        As for `count_contexts`.
    wider : (j,)
        Of each bet, the bet on the event that always occurs with its own and is commoner; -1 where
        there is none.
    lasting : (j,)
        How likely at least each event may be to go on once it has begun, for what is known of it
        otherwise; 0 where nothing is.

    Returns
    -------
    (j, 2, LEVELS) float64
        Between 0 and 1; a bound of 1 cannot be bet against.
    """
    counts = count_contexts(events, breaks)
    upper: FloatArray = bound(counts.on, counts.rows, counts.unrest)
    bets = len(upper)
    parents = [-1] * bets if wider is None else list(wider)
    stays = [0.0] * bets if lasting is None else list(lasting)
    for j in _widest_first(parents):
        parent = parents[j]
        if parent >= 0:
            stays[j] = max(stays[j], stays[parent])
        known = counts.rows[j, 1] >= CELL_ROWS
        stays[j] = max(stays[j], float(upper[j, 1, known].max(initial=0.0)))
        _fill(upper[j], counts, j, stays[j], None if parent < 0 else upper[parent])
    return upper


def _widest_first(parents: Sequence[int]) -> list[int]:
    """Return bets in an order in which each comes after the one it is a part of."""
    order: list[int] = []
    for start in range(len(parents)):
        chain, j = [], start
        while j >= 0 and j not in order and j not in chain:
            chain.append(j)
            j = parents[j]
        order += reversed(chain)
    return order


def _fill(own: FloatArray, counts: Counts, j: int, stay: float, wider: FloatArray | None) -> None:
    """Fill the thin cells of one bet, ``(2, LEVELS)``, in place."""
    rows, on = counts.rows[j], counts.on[j]
    thick, known = rows >= CELL_ROWS, own.copy()
    never = wider is None and on.sum() == 0
    slope = _slope(rows, on, counts.unrest[j])
    for last in (0, 1):
        for level in np.flatnonzero(~thick[last]).tolist():
            like = slice(None) if last else slice(1, None) if level else slice(0, 1)
            if rows[last, like].sum() >= POOL_ROWS:
                found = [_pooled(counts, j, last, like)]
            else:
                found = [(NEVER if never else UNSEEN) if last or level else 1.0]
            found.append(_beside(known[last], thick[last], level))
            if not never:
                found.append(_as_lately(known[last], thick[last], level, slope))
            if last:
                found.append(stay)
            elif wider is not None:
                found.append(float(wider[0, level]))
            own[last, level] = min(1.0, max(found))


def _slope(rows: IntArray, on: IntArray, unrest: FloatArray) -> float:
    """How much likelier an event is at most for having occurred lately: between 0 and 1.

    0 of independent events, 1 of those that go on as they did. The upper 99 % limit of the slope
    of rates over levels, of rows with the same last event, by least squares; 1 where too few
    levels were seen to tell.
    """
    level = np.arange(LEVELS) / (LEVELS - 1)
    weight = np.maximum(rows.sum(axis=1, keepdims=True), 1)
    away = level - (rows * level).sum(axis=1, keepdims=True) / weight
    rate = on / np.maximum(rows, 1)
    moment = float((rows * away**2).sum())
    if moment <= 0:
        return 1.0
    noise = 2 * rate * (1 - rate) * rows + rows**2 * unrest
    slope = float((rows * away * rate).sum()) / moment
    doubt = float(np.sqrt((noise * away**2).sum())) / moment
    return min(1.0, max(0.0, slope + 2.33 * doubt))


def _as_lately(upper: FloatArray, thick: BoolArray, level: int, slope: float) -> float:
    """Return a bound for an event that goes on as it lately did, as far as such events do."""
    most = min((level + 0.5) / (LEVELS - 1), ALWAYS)
    below = np.flatnonzero(thick[:level])
    if len(below) == 0:
        return most
    nearest = below[-1]
    return min(most, float(upper[nearest]) + slope * float(level - nearest) / (LEVELS - 1))


def _pooled(counts: Counts, j: int, last: int, levels: slice) -> float:
    rows, on = counts.rows[j, last, levels], counts.on[j, last, levels]
    unrest = (counts.unrest[j, last, levels] * rows).sum() / max(rows.sum(), 1)
    return float(bound(on.sum(), rows.sum(), unrest))


def _beside(upper: FloatArray, thick: BoolArray, level: int) -> float:
    """Return the larger bound of the nearest thick cells below and above; 0 without any."""
    filled = np.flatnonzero(thick)
    below, above = filled[filled < level][-1:], filled[filled > level][:1]
    return max((float(upper[each]) for each in (*below, *above)), default=0.0)
