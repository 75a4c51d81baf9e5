"""Rows of many streams side by side, so that a recursion walks all of them in few steps.

A row of numpy costs microseconds, however few numbers it holds. So the rows of each stream are cut
into pieces of about the square root of the longest, and the pieces, *lanes*, are walked together:
step ``r`` takes the ``r``-th row of every lane. What a recursion does to its state along a lane is
composed on the way; then the lanes of a stream are chained.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plumbline.bundle.array import BoolArray, FloatArray, IntArray

_SHORT = 8
"""Streams no longer than this are walked in one lane each, and nothing needs to be composed."""

_STEEP = 1e200
"""Factors beyond it only need to stay finite: what starts with anything has met the cap."""


@dataclass(frozen=True)
class Lanes:
    """The order of a walk.

    Attributes
    ----------
    order : (n,) int64
        Rows in the order of the walk: all first rows of lanes, all second ones, ...
    place : (n,) int64
        Where each row comes in it.
    lane : (n,) int64
        Lane of each row, in the order of the walk.
    steps : (s + 1,) int64
        Where each step begins, and the end.
    rank : (n,) int64
        Rows of the same stream before each row.
    heads, lengths : (streams,) int64
        First row of each stream, and how many it has.
    sorted : (n,) int64
        Rows stream by stream.
    """

    order: IntArray
    place: IntArray
    lane: IntArray
    steps: IntArray
    rank: IntArray
    heads: IntArray
    lengths: IntArray
    sorted: IntArray
    _stage: tuple[tuple[IntArray, IntArray], ...]
    _first: IntArray
    _stream: IntArray
    _last: IntArray
    _prior: IntArray
    _begins: IntArray

    def affine(self, factor: FloatArray, term: FloatArray, start: FloatArray) -> FloatArray:
        """Return ``x <- factor · x + term`` after every row.

        Parameters
        ----------
        factor, term : (n, ...) float64
            In the order of the walk; overwritten.
        start : (streams, ...) float64

        Returns
        -------
        (n, ...) float64
            In the order of the walk.
        """
        state = self._entry(start)
        if not self._stage:
            return self._walk(factor, term, None, state)
        for now, before in self._pairs():
            term[now] += factor[now] * term[before]
            factor[now] *= factor[before]
        for lanes, priors in self._stage:
            end = self._last[priors]
            state[lanes] = factor[end] * state[priors] + term[end]
        found: FloatArray = factor
        found *= state[self.lane]
        found += term
        return found

    def capped(
        self, factor: FloatArray, term: FloatArray, cap: float, start: FloatArray
    ) -> FloatArray:
        """Return ``x <- min(cap, factor · x + term)`` after every row, likewise.

        Where ``factor`` is 1 and ``term`` 0 nothing happens. Factors are not negative: the
        composition of such steps is again one, with a cap of its own.
        """
        state = self._entry(start)
        if not self._stage:
            return self._walk(factor, term, cap, state)
        most = np.full_like(term, cap)
        first = slice(0, self.steps[1])
        np.minimum(term[first], cap, out=term[first])
        for now, before in self._pairs():
            most[now] = np.minimum(factor[now] * most[before] + term[now], cap)
            term[now] += factor[now] * term[before]
            np.minimum(term[now], cap, out=term[now])
            factor[now] *= factor[before]
            np.minimum(factor[now], _STEEP, out=factor[now])
        for lanes, priors in self._stage:
            end = self._last[priors]
            state[lanes] = np.minimum(factor[end] * state[priors] + term[end], most[end])
        found: FloatArray = factor
        found *= state[self.lane]
        found += term
        return np.minimum(found, most, out=found)

    def before(self, after: FloatArray, start: FloatArray) -> FloatArray:
        """Return the state before each row, from the state after it and that of the beginning."""
        found: FloatArray = after[self._prior]
        found[self._begins] = start[self._stream[self.lane[self._begins]]]
        return found

    def _entry(self, start: FloatArray) -> FloatArray:
        """Return room for the state at the head of every lane, filled for first lanes."""
        state = np.empty((len(self._stream), *start.shape[1:]))
        state[self._first] = start[self._stream[self._first]]
        return state

    def _pairs(self) -> list[tuple[slice, slice]]:
        """Return each step but the first, with the rows before its rows."""
        ends = self.steps.tolist()
        return [
            (slice(ends[r], ends[r + 1]), slice(ends[r - 1], ends[r - 1] + ends[r + 1] - ends[r]))
            for r in range(1, len(ends) - 1)
        ]

    def _walk(
        self, factor: FloatArray, term: FloatArray, cap: float | None, state: FloatArray
    ) -> FloatArray:
        """Walk lanes that are whole streams."""
        first = slice(0, self.steps[1])
        factor[first] *= state
        factor[first] += term[first]
        if cap is not None:
            np.minimum(factor[first], cap, out=factor[first])
        for now, before in self._pairs():
            factor[now] *= factor[before]
            factor[now] += term[now]
            if cap is not None:
                np.minimum(factor[now], cap, out=factor[now])
        return factor


def lay_out(stream: IntArray) -> Lanes:
    """Lay rows out in lanes.

    Parameters
    ----------
    stream : (n,) int64
        Which stream each row belongs to; rows of a stream are in order. At least one row.
    """
    n = len(stream)
    order = np.argsort(stream, kind="stable")
    begins = np.flatnonzero(np.append(True, np.diff(stream[order]) != 0))
    lengths = np.diff(np.append(begins, n))
    longest = int(lengths.max())
    size = longest if longest <= _SHORT else int(np.ceil(np.sqrt(longest)))
    rank = np.arange(n) - np.repeat(begins, lengths)
    within = rank % size
    opens = np.flatnonzero(within == 0)
    sizes = np.diff(np.append(opens, n))
    by_size = np.argsort(-sizes, kind="stable")
    lanes = np.empty(len(opens), np.int64)
    lanes[by_size] = np.arange(len(opens))
    wide = len(opens) - np.concatenate([[0], np.cumsum(np.bincount(sizes, minlength=size + 1))])
    steps = np.concatenate([[0], np.cumsum(wide[1 : size + 1])]).astype(np.int64)
    lane = np.repeat(lanes, sizes)
    walk = steps[within] + lane
    ordered, walked, ranked = np.empty((3, n), np.int64)
    ordered[walk], walked[order], ranked[order] = order, walk, rank
    lane_in_walk = np.empty(n, np.int64)
    lane_in_walk[walk] = lane
    number = rank[opens] // size
    stage = []
    for each in range(1, int(number.max()) + 1):
        later = np.flatnonzero(number == each)
        stage.append((lanes[later], lanes[later - 1]))
    stream_of = np.empty(len(opens), np.int64)
    stream_of[lanes] = np.repeat(np.arange(len(begins)), lengths)[opens]
    last = np.empty(len(opens), np.int64)
    last[lanes] = steps[sizes - 1] + lanes
    prior = np.empty(n, np.int64)
    prior[walk[1:]] = walk[:-1]
    prior[walk[begins]] = walk[begins]
    return Lanes(
        order=ordered,
        place=walked,
        lane=lane_in_walk,
        steps=steps,
        rank=ranked,
        heads=order[begins],
        lengths=lengths,
        sorted=order,
        _stage=tuple(stage),
        _first=lanes[number == 0],
        _stream=stream_of,
        _last=last,
        _prior=prior,
        _begins=walk[begins],
    )


def runs(flags: BoolArray, lanes: Lanes, before: IntArray) -> IntArray:
    """Length of the run of true values ending at each row, continuing earlier runs.

    Parameters
    ----------
    flags : (n, f) bool
        In time order.
    lanes
        Of the rows.
    before : (streams, f) int64
        Length of the run that each stream comes with.

    Returns
    -------
    (n, f) int64
        In time order.
    """
    found = np.zeros(flags.shape, np.int64)
    columns = np.flatnonzero(flags.any(axis=0))
    if len(columns) == 0:
        return found
    on = flags[:, columns][lanes.sorted]
    stream = np.repeat(np.arange(len(lanes.heads)), lanes.lengths)
    begin = (np.cumsum(lanes.lengths) - lanes.lengths)[stream][:, None]
    place = np.arange(1, len(on) + 1)[:, None]
    broken = np.maximum.accumulate(np.where(on, begin, place), axis=0)
    length = place - broken + np.where(broken == begin, before[:, columns][stream], 0)
    found[np.ix_(lanes.sorted, columns)] = np.where(on, length, 0)
    return found
