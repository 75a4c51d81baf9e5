"""Evidence that grows while watched events are likelier than the reference permits.

Each bet wagers that an event happens more often than its bound ``u``. Against the alternative
that it fails to happen ``m`` times less often than the bound allows, ``w = 1 - (1 - u) / m``, a
row multiplies the stake by ``e = w / u`` where the event occurred and by ``1 / m`` where it did
not. Whatever the dependence between rows, the expectation of ``e`` given the past is at most one
as long as the bound holds. The Shiryaev-Roberts recursion ``M <- e (M + 1)`` starts a new wager
at every row; the mixture of all of them reaches ``A`` after ``A`` rows on average at the
earliest, and within ``n`` rows with probability at most ``n / A``.

The mixtures of several detectors over several symbols lie side by side in arrays. Of a symbol's
rows the multipliers do not depend on the stakes, so those of a thousand rows are found at once, and
the recursion is walked in lanes.

References
----------
Shin, Ramdas and Rinaldo (2024), "E-detectors: A Nonparametric Framework for Sequential Change
Detection", NEJSDS, theorem 2.2: the expected run length of an e-SR procedure is at least ``A``.
Shiryaev (1963); Roberts (1966); Pollak (1985), "Optimal Detection of a Change in Distribution".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np

from plumbline.bundle.array import AnyArray, BoolArray, FloatArray, IntArray
from plumbline.diagnosis.lanes import Lanes, lay_out
from plumbline.diagnosis.null import LEVELS, follow_contexts
from plumbline.diagnosis.roster import NOBODY, Roster, grown

ALTERNATIVES = (20.0, 3.0)
"""How many times rarer than permitted the event fails to happen."""

CAP = 1e60
"""Largest stake: above every threshold, below overflow."""

GROWING = 10.0
"""The evidence has begun to grow where the mixture exceeds this; the onset of an episode."""

POOLED_EVERY = 64
"""Rows between two looks at the average over symbols, counted from the very first row."""

MOST_AHEAD = 1_024
"""Rows looked at together, at most."""

_ALTERNATIVES = np.array(ALTERNATIVES)
_SURE = 0.995  # a bound so close to one carries nothing to bet on
_CELLS = 2 * LEVELS


def odds(bounds: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return factor and term of ``M <- factor · M + term`` in every context.

    Parameters
    ----------
    bounds : (j, 2, LEVELS) float64
        From `diagnosis.null.fit_null`.

    Returns
    -------
    factor, term : (j · cells · 2 + 1, 2) float64
        By bet, context (``last · LEVELS + level``) and event, one for each alternative; the last
        is for rows without a bet, and does nothing.
    """
    u = np.clip(bounds.reshape(len(bounds), _CELLS, 1), 1e-12, 1.0)
    off = np.broadcast_to(1 / _ALTERNATIVES, (*u.shape[:2], 2))
    factor = np.stack([off, (1 - (1 - u) / _ALTERNATIVES) / u], axis=2)
    placed = (u < _SURE)[:, :, :, None]
    term = np.where(placed, factor, 0.0).reshape(-1, 2)
    factor = np.where(placed, factor, 1.0).reshape(-1, 2)
    return np.append(factor, [[1.0, 1.0]], axis=0), np.append(term, [[0.0, 0.0]], axis=0)


@dataclass
class Course:
    """Where the evidence goes over some rows, in time order, before they are taken.

    Attributes
    ----------
    place, tenant : (n,) int64
        Of each row's symbol; from `diagnosis.roster.Roster`.
    symbol : (n,) str
    lanes
        The order in which ``context`` and ``stakes`` lie.
    values : (n, d) float64
        The mixtures of the row's symbol after it.
    number : (n,) int64
        Rows of the symbol since the last reset, this one included.
    own, over : (n, d) bool
        The alarm level is reached: by the symbol alone, or also by all together where that is
        looked at.
    alarms
        Whether it ever is.
    taken
        How many rows have been taken.
    """

    place: IntArray
    tenant: IntArray
    symbol: AnyArray
    lanes: Lanes
    context: FloatArray
    stakes: FloatArray
    values: FloatArray
    number: IntArray
    own: BoolArray
    over: BoolArray
    alarms: bool = False
    taken: int = 0

    def __len__(self) -> int:
        return len(self.place)


class EProcess:
    """Mixtures of bets over all symbols, several mixtures side by side.

    The average over symbols is valid under any dependence between them; their product would not be.
    So is the alarm of one symbol whose mixture alone would bring the average to the level.

    Parameters
    ----------
    bounds : (j, 2, LEVELS) float64
        From `diagnosis.null.fit_null`, of all mixtures' bets.
    sizes
        Bets of each mixture, in order; one mixture of all by default.
    levels : (d,) float64
        Of the average over symbols, not its logarithm; without them nothing alarms.

    Attributes
    ----------
    alarmed : (d,) bool
        The level was reached since the last reset.
    """

    def __init__(
        self,
        bounds: FloatArray,
        *,
        sizes: Sequence[int] | None = None,
        levels: FloatArray | None = None,
    ) -> None:
        counts = np.array([len(bounds)] if sizes is None else list(sizes), np.int64)
        self.bounds = bounds
        self.levels = np.full(len(counts), np.inf) if levels is None else np.asarray(levels)
        self.alarmed = np.zeros(len(counts), bool)
        self._factor, self._term = odds(bounds)
        self._offset = np.arange(len(bounds)) * 2 * _CELLS
        mixture = np.repeat(np.arange(len(counts)), counts)
        self._weights = np.zeros((2 * len(bounds), len(counts)))
        self._weights[np.arange(2 * len(bounds)), np.repeat(mixture, 2)] = np.repeat(
            1.0 / (2 * counts[mixture]), 2
        )
        self._roster = Roster()
        self._rows = 0
        self._symbols = 1
        self._tenant = np.full(1, NOBODY)
        self._name = np.full(1, "", object)
        self._context = np.zeros((1, 2 * len(bounds)))
        self._stakes = np.zeros((1, len(bounds), 2))
        self._values = np.zeros((1, len(counts)))
        self._quiet_at = np.zeros((1, len(counts)), np.int64)
        self._accused = np.zeros((1, len(counts)), bool)
        self._n = np.zeros(1, np.int64)

    @property
    def n(self) -> int:
        """Rows since the last reset."""
        return int(self._n.sum())

    def value(self, mixture: int = 0) -> float:
        """Return the average of a mixture over symbols, ``exp(log_e)``."""
        return float(self._values[:, mixture].sum()) / self._symbols

    def log_e(self, mixture: int = 0) -> float:
        """Evidence in nats; about -690 before the first bet, whose logarithm would be infinite."""
        return log(max(self.value(mixture), 1e-300))

    def symbols(self, mixture: int = 0) -> tuple[str, ...]:
        """Return whose own evidence has alone reached the level since the last reset."""
        return tuple(sorted(self._name[self._accused[:, mixture]].tolist()))

    def onset(self, mixture: int = 0) -> int:
        """Return the rows since the evidence began to grow, of those in which it does.

        Of the symbols whose own evidence has reached the level; of all in which it grows, if it is
        only the average that has; before an alarm of the one with the most evidence.
        """
        since = self._n - self._quiet_at[:, mixture]
        own = self._accused[:, mixture]
        if own.any():
            return int(since[own].sum())
        if self.alarmed[mixture]:
            return int(since.sum())
        return int(since[self._values[:, mixture].argmax()])

    def step(self, symbol: str, events: Sequence[int]) -> None:
        """Take one row: 1 on, 0 off, -1 for no bet, one entry per bet."""
        self.follow([symbol], np.asarray([events]))

    def follow(self, symbols: Sequence[str], events: IntArray) -> None:
        """Take rows ``(n, j)`` of these symbols, in order."""
        for start in range(0, len(symbols), MOST_AHEAD):
            rows = slice(start, start + MOST_AHEAD)
            course = self.ahead(*self._roster.seat(symbols[rows]), symbols[rows], events[rows])
            self.take(course, len(course))

    def ahead(
        self, place: IntArray, tenant: IntArray, symbol: AnyArray | Sequence[str], events: IntArray
    ) -> Course:
        """Return where the evidence goes over the next rows, at least one, without taking them."""
        self._make_room(int(place.max()) + 1)
        lanes = lay_out(tenant)
        streams = place[lanes.heads]
        known = self._tenant[streams] == tenant[lanes.heads]
        after, stakes = self._walk(events[lanes.order], lanes, streams, known)
        values = (stakes.reshape(len(stakes), -1) @ self._weights)[lanes.place]
        begun = np.zeros(len(place), np.int64)
        begun[lanes.sorted] = np.repeat(np.where(known, self._n[streams], 0), lanes.lengths)
        symbols = np.maximum(np.maximum.accumulate(place + 1), self._symbols)
        own = values >= self.levels * symbols[:, None]
        course = Course(
            place=place,
            tenant=tenant,
            symbol=np.asarray(symbol),
            lanes=lanes,
            context=after,
            stakes=stakes,
            values=values,
            number=begun + lanes.rank + 1,
            own=own,
            over=own,
        )
        if symbols[-1] > 1:
            course.over = own | self._together(course, symbols)
        course.alarms = bool(course.over.any())
        return course

    def first_alarm(self, course: Course, start: int, stop: int) -> int | None:
        """Return the first row from ``start`` on, before ``stop``, that brings a new alarm."""
        if not course.alarms:
            return None
        news = (course.over[start:stop] & ~self.alarmed).any(axis=1)
        return start + int(news.argmax()) if news.any() else None

    def take(self, course: Course, stop: int) -> None:
        """Take the rows of a course before ``stop``; nothing else may have happened since it."""
        rows = slice(course.taken, stop)
        if stop <= course.taken:
            return
        place = course.place[rows]
        newest = np.full(len(self._tenant), -1)
        newest[place] = np.arange(course.taken, stop)
        touched = np.flatnonzero(newest >= 0)
        last = newest[touched]
        self._clear(touched[self._tenant[touched] != course.tenant[last]])
        walked = course.lanes.place[last]
        self._tenant[touched], self._name[touched] = course.tenant[last], course.symbol[last]
        self._context[touched], self._stakes[touched] = (
            course.context[walked],
            course.stakes[walked],
        )
        self._values[touched], self._n[touched] = course.values[last], course.number[last]
        quiet = course.values[rows] < GROWING
        quiet[course.tenant[rows] != self._tenant[place]] = False
        row, mixture = np.nonzero(quiet)
        self._quiet_at[place[row], mixture] = course.number[rows][row]
        row, mixture = np.nonzero(course.own[rows])
        self._accused[place[row], mixture] = True
        self.alarmed |= course.over[rows].any(axis=0)
        self._symbols = max(self._symbols, int(place.max()) + 1)
        self._rows += stop - course.taken
        course.taken = stop

    def reset(self) -> None:
        """Forget the evidence, but not the contexts: the recent past stays what it was."""
        for state in (self._stakes, self._values, self._quiet_at, self._n):
            state[:] = 0
        self._accused[:] = False
        self.alarmed[:] = False

    def forget(self, place: int) -> None:
        """Forget the symbol at a place; an alarm that was only its own is none any more."""
        if place >= len(self._tenant):
            return
        only = self._accused.sum(axis=0) == self._accused[place]
        self.alarmed &= ~(self._accused[place] & only)
        self._clear(np.array([place]))

    def _clear(self, places: IntArray) -> None:
        self._tenant[places] = NOBODY
        for state in (self._context, self._stakes, self._values, self._quiet_at, self._n):
            state[places] = 0
        self._accused[places] = False

    def _make_room(self, places: int) -> None:
        if places <= len(self._tenant):
            return
        held = len(self._tenant)
        self._tenant, self._name = grown(self._tenant, places), grown(self._name, places)
        self._tenant[held:] = NOBODY
        self._context, self._stakes = grown(self._context, places), grown(self._stakes, places)
        self._values, self._quiet_at = grown(self._values, places), grown(self._quiet_at, places)
        self._accused, self._n = grown(self._accused, places), grown(self._n, places)

    def _walk(
        self, events: IntArray, lanes: Lanes, streams: IntArray, known: BoolArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return contexts and stakes after each row, in the order of the walk."""
        start = np.where(known[:, None], self._context[streams], 0.0)
        after, context = follow_contexts(events, lanes, start)
        index = self._offset + 2 * context + events
        index[events < 0] = len(self._factor) - 1
        stakes = lanes.capped(
            self._factor[index],
            self._term[index],
            CAP,
            np.where(known[:, None, None], self._stakes[streams], 0.0),
        )
        return after, stakes

    def _together(self, course: Course, symbols: IntArray) -> BoolArray:
        """Tell at which rows the average over symbols is looked at and found at its level."""
        over = np.zeros(course.values.shape, bool)
        values, seen = self._values.copy(), 0
        first = POOLED_EVERY - 1 - self._rows % POOLED_EVERY
        for row in range(first, len(course), POOLED_EVERY):
            rows = slice(seen, row + 1)
            values[course.place[rows]] = course.values[rows]
            over[row] = values.sum(axis=0) >= self.levels * symbols[row]
            seen = row + 1
        return over


def peaks(bounds: FloatArray, events: IntArray, breaks: BoolArray) -> FloatArray:
    """Highest evidence that each bet reaches on its own over some paths.

    The recursion of `EProcess`, for all bets of all paths at once.

    Parameters
    ----------
    bounds : (j, 2, LEVELS) float64
        From `diagnosis.null.fit_null`.
    events : (paths, n, j) int8
    breaks : (paths, n) bool
        The contexts begin anew there, while the evidence goes on.

    Returns
    -------
    (j,) float64
        In nats.
    """
    paths, rows, bets = events.shape
    factor, term = odds(bounds)
    begins = breaks.copy()
    begins[:, 0] = True
    pieces = lay_out(np.cumsum(begins.ravel()))
    flat = events.reshape(-1, bets)
    start = np.zeros((len(pieces.heads), 2 * bets))
    context = follow_contexts(flat[pieces.order], pieces, start)[1][pieces.place]
    index = np.arange(bets) * 2 * _CELLS + 2 * context + flat
    index[flat < 0] = len(factor) - 1
    whole = lay_out(np.repeat(np.arange(paths), rows))
    index = index[whole.order]
    stakes = whole.capped(factor[index], term[index], CAP, np.zeros((paths, bets, 2)))
    highest: FloatArray = stakes.mean(axis=2).max(axis=0)
    return np.log(np.maximum(highest, 1e-300))
