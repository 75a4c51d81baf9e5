"""The newest last steps of every symbol, in the order of their bars, whatever the log's order.

One block of memory for all symbols, so that rows of a thousand symbols are put away in a few numpy
calls. Of each symbol the steps lie one after the other in a row of the block; when that is full,
the newest move to its front. A window is then a slice, and nothing is copied to hash it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from plumbline.bundle.array import BoolArray, FloatArray, IntArray

MOST_SYMBOLS = 4096
"""More symbols than this are not remembered: those longest silent go first."""

MOST_BYTES = 2**27
"""No more memory than this for steps, however wide and long a window is."""

LEAST_SYMBOLS = 256

AT_ONCE = 96
"""Rows put away in one go: as many as one symbol has room for."""

NO_BAR = -1
"""Stands for a row that does not say its bar."""

_EMPTY = -2
_GROUP = 2**53
"""Farther apart than any two bar times in microseconds, and 96 of it fit into an int64."""


@dataclass(frozen=True)
class Placed:
    """Where rows lie.

    Attributes
    ----------
    slot : (c,) int64
        Of their symbols.
    place : (c,) int64
        Among the symbol's steps; -1 for a bar older than all that are remembered.
    own : (c,) bool
        Whether the step there is the row's own; false where the bar had been sent before, with
        other numbers: the first stays.
    key : (c,) int64
        Bar time; for rows that do not say theirs, a microsecond after the one before.
    number : (c,) int64
        Rows of the symbol before this one.
    """

    slot: IntArray
    place: IntArray
    own: BoolArray
    key: IntArray
    number: IntArray

    def __len__(self) -> int:
        return len(self.slot)


class Rings:
    """The newest steps of many symbols.

    Parameters
    ----------
    steps
        Of a window.
    width
        Columns.
    most
        Symbols remembered.

    Attributes
    ----------
    values : (symbols, length, width) float32
    bars : (symbols, length) int64
        Bar times, ascending.
    count : (symbols,) int64
        Steps in use.
    moved : (symbols,) int64
        How many steps have gone from the front: place + moved names a step for good.
    seen : (symbols,) int64
        Rows taken.
    verified : (symbols,) int64
        Lasting name of the newest step whose window had its logged hash; -1 without one.
    doubted : (symbols,) int64
        The same of the newest step whose window had another.
    missed : (symbols,) int64
        How many windows in a row have not had theirs.
    fitted : (symbols,) int64
        Whether the client's windows are known to follow from each other to the bit.
    """

    def __init__(self, steps: int, width: int, *, most: int = MOST_SYMBOLS) -> None:
        self.steps = steps
        self._length = steps + AT_ONCE
        fitting = MOST_BYTES // max(4 * width * self._length, 1)
        self._most = max(LEAST_SYMBOLS, min(most, fitting))
        self._slots: dict[str, int] = {}
        self.names: list[str] = []
        self._clock = 0
        self.values = np.empty((0, self._length, width), np.float32)
        self.bars = np.empty((0, self._length), np.int64)
        state = np.empty(0, np.int64)
        self.count, self.moved, self.seen, self.missed, self.fitted, self._used = (
            state.copy() for _ in range(6)
        )
        self.verified, self.doubted = state.copy(), state.copy()

    def __len__(self) -> int:
        return len(self.names)

    def slots(self, names: Sequence[str]) -> IntArray:
        """Return the slots of symbols, new ones for those not known; at most `AT_ONCE` of them."""
        get = self._slots.get
        found = [get(name, -1) for name in names]
        self._clock += 1
        if -1 in found:
            self._used[[slot for slot in found if slot >= 0]] = self._clock
            found = [self._open(name) for name in names]
        slots = np.array(found, np.int64)
        self._used[slots] = self._clock
        return slots

    def continuous(self, name: str, bar: int) -> bool:
        """Whether windows of a symbol have fitted since a bar, and none has not."""
        slot = self._slots.get(name)
        if slot is None:
            return False
        bars = self.bars[slot, : int(self.count[slot])]
        place = int(np.searchsorted(bars, bar))
        if place == len(bars) or bars[place] != bar:
            return False
        border = place + int(self.moved[slot])
        return bool(self.verified[slot] >= border > self.doubted[slot])

    def held(self, name: str) -> tuple[IntArray, FloatArray]:
        """Return the bars and steps of a symbol, oldest first; views, and empty if unknown."""
        slot = self._slots.get(name)
        count = 0 if slot is None else int(self.count[slot])
        return self.bars[slot or 0, :count], self.values[slot or 0, :count]

    def _open(self, name: str) -> int:
        known = self._slots.get(name)
        if known is not None:
            return known
        if len(self.names) < self._most:
            slot = len(self.names)
            self.names.append(name)
            if slot == len(self.values):
                self._grow()
        else:
            slot = int(self._used.argmin())
            del self._slots[self.names[slot]]
            self.names[slot] = name
        self._slots[name] = slot
        self.bars[slot] = _EMPTY
        self.count[slot] = self.moved[slot] = self.seen[slot] = 0
        self.missed[slot] = self.fitted[slot] = 0
        self.verified[slot] = self.doubted[slot] = -1
        self._used[slot] = self._clock
        return slot

    def _grow(self) -> None:
        more = min(max(2 * len(self.values), 8), self._most) - len(self.values)
        for name in (
            "values",
            "bars",
            "count",
            "moved",
            "seen",
            "verified",
            "doubted",
            "missed",
            "fitted",
            "_used",
        ):
            old = getattr(self, name)
            fresh = np.zeros((more, *old.shape[1:]), old.dtype)
            setattr(self, name, np.concatenate([old, fresh]))

    def add(self, slot: IntArray, bar_time: IntArray, values: FloatArray) -> Placed:
        """Put rows away, oldest in the log first; stops before one that goes between others.

        Such a row is put away when it is the first; so the window that a row is held against never
        depends on rows after it.

        Parameters
        ----------
        slot, bar_time, values : (c,), (c,), (c, width)
            At most `AT_ONCE` rows; a bar time of -1 means none.

        Returns
        -------
        Placed
            Of the rows taken: at least one.
        """
        queue = _Queue.of(slot)
        last = np.where(self.count[slot] > 0, self.bars[slot, self.count[slot] - 1], -1)
        key = _keyed(slot, bar_time, last)
        ahead = _ahead(key, last, queue)
        own = np.ones(len(slot), bool)
        if ahead.all():
            place = self._append(slot, key, values, queue)
        else:
            stop = self._first_between(slot, key, ahead)
            if stop == 0:
                slot, key, own, place = slot[:1], key[:1], own[:1], self._insert(slot, key, values)
                queue = _Queue.of(slot)
            elif stop < len(slot):
                return self.add(slot[:stop], bar_time[:stop], values[:stop])
            else:
                place = self._append_some(slot, key, values, ahead)
                held = self.values[slot, np.maximum(place, 0)]
                own[~ahead] = (held == values)[~ahead].all(axis=1)
        number = self.seen[slot] + queue.rank
        self.seen[queue.heads] += queue.lengths
        return Placed(slot, place, own & (place >= 0), key, number)

    def _append_some(
        self, slot: IntArray, key: IntArray, values: FloatArray, ahead: BoolArray
    ) -> IntArray:
        """Append the rows that are ahead, and find the bars of the others."""
        place = np.empty(len(slot), np.int64)
        if ahead.any():
            queue = _Queue.of(slot[ahead])
            place[ahead] = self._append(slot[ahead], key[ahead], values[ahead], queue)
        same = self.bars[slot[~ahead]] == key[~ahead, None]
        place[~ahead] = np.where(same.any(axis=1), same.argmax(axis=1), -1)
        return place

    def _append(self, slot: IntArray, key: IntArray, values: FloatArray, queue: _Queue) -> IntArray:
        """Append rows that are each newer than all of its symbol; returns their places."""
        heads, lengths = queue.heads, queue.lengths
        for full in heads[self.count[heads] + lengths > self._length].tolist():
            self._make_room(full)
        place: IntArray = self.count[slot] + queue.rank
        self.values[slot, place] = values
        self.bars[slot, place] = key
        self.count[heads] += lengths
        return place

    def _make_room(self, slot: int) -> None:
        """Move the newest steps to the front."""
        spare = int(self.count[slot]) - self.steps
        if spare <= 0:
            return
        kept = slice(spare, spare + self.steps)
        self.values[slot, : self.steps] = self.values[slot, kept].copy()
        self.bars[slot, : self.steps] = self.bars[slot, kept].copy()
        self.bars[slot, self.steps :] = _EMPTY
        self.count[slot] = self.steps
        self.moved[slot] += spare

    def _first_between(self, slot: IntArray, key: IntArray, ahead: BoolArray) -> int:
        """Return the first row that is neither newer than all others nor of a known bar."""
        late = np.flatnonzero(~ahead)
        known = (self.bars[slot[late]] == key[late, None]).any(axis=1)
        unknown: list[int] = late[~known].tolist()
        for i in unknown:
            before = ahead[:i] & (slot[:i] == slot[i]) & (key[:i] == key[i])
            if not before.any():
                return i
        return len(slot)

    def _insert(self, slots: IntArray, keys: IntArray, values: FloatArray) -> IntArray:
        """Put the first row where it belongs; returns its place."""
        slot, key = int(slots[0]), int(keys[0])
        if self.count[slot] == self._length:
            self._make_room(slot)
        count = int(self.count[slot])
        place = int(np.searchsorted(self.bars[slot, :count], key))
        if place == 0 and count >= self.steps:
            return np.array([-1])
        for block in (self.values[slot], self.bars[slot]):
            block[place + 1 : count + 1] = block[place:count].copy()
        self.values[slot, place] = values[0]
        self.bars[slot, place] = key
        self.count[slot] += 1
        if self.verified[slot] >= place + self.moved[slot]:
            self.verified[slot] = -1
        return np.array([place])


@dataclass(frozen=True)
class _Queue:
    """Rows by symbol.

    Attributes
    ----------
    order : (c,) int64
        By slot, then by log.
    begins, heads, lengths : (symbols,) int64
        Where each slot begins in that order, which it is, and its rows.
    rank : (c,) int64
        How many rows of the same symbol come before each.
    """

    order: IntArray
    begins: IntArray
    heads: IntArray
    lengths: IntArray
    rank: IntArray

    @classmethod
    def of(cls, slot: IntArray) -> Self:
        """Sort rows of these slots."""
        n = len(slot)
        numbers = np.arange(n)
        if n == 1 or (slot == slot[0]).all():
            zero = np.zeros(1, np.int64)
            return cls(numbers, zero, slot[:1], zero + n, numbers)
        order = slot.argsort(kind="stable")
        grouped = slot[order]
        begins = np.append(0, np.flatnonzero(grouped[1:] != grouped[:-1]) + 1)
        lengths = np.diff(np.append(begins, n))
        rank = np.empty(n, np.int64)
        rank[order] = numbers - np.repeat(begins, lengths)
        return cls(order, begins, grouped[begins], lengths, rank)


def _keyed(slot: IntArray, bar_time: IntArray, last: IntArray) -> IntArray:
    """Return the bar times; a row without one comes right after the row before it."""
    if (bar_time >= 0).all():
        return bar_time
    key = bar_time.copy()
    newest: dict[int, int] = {}
    for i, each in enumerate(slot.tolist()):
        before = newest.get(each, int(last[i]))
        if key[i] < 0:
            key[i] = before + 1
        newest[each] = max(before, int(key[i]))
    return key


def _ahead(key: IntArray, last: IntArray, queue: _Queue) -> BoolArray:
    """Tell which rows are newer than all of their symbol before them."""
    apart = np.repeat(np.arange(len(queue.begins)) * _GROUP, queue.lengths)
    grouped = key[queue.order] + apart
    floor = last[queue.order[queue.begins]] + apart[queue.begins]
    raised = grouped.copy()
    raised[queue.begins] = np.maximum(grouped[queue.begins], floor)
    before = np.empty(len(key), np.int64)
    before[1:] = np.maximum.accumulate(raised)[:-1]
    before[queue.begins] = floor
    ahead = np.empty(len(key), bool)
    ahead[queue.order] = grouped > before
    return ahead
