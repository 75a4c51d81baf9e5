"""Making a row's window again: of the symbol's last steps, or of its last whole window.

The second way is for a client whose window is not what the log makes it, because a row was dropped
or a bar revised: from a window that was logged whole on, the steps since follow it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, Self

import numpy as np

from plumbline.bundle.array import FloatArray
from plumbline.bundle.inputs import inputs_hash, parse_inputs
from plumbline.monitoring.watching.audit.layout import Layout
from plumbline.monitoring.watching.audit.look import Calendar
from plumbline.monitoring.watching.audit.rebuilt import Rebuilt
from plumbline.monitoring.watching.audit.rings import Placed, Rings

PARTED = 3
"""A whole window that so many rows do not follow is not what the client goes on from."""

SELDOM = 16
"""One row in so many of a symbol is made of its steps first, whatever went before."""


class At(NamedTuple):
    """Which row of a symbol it is about: where it lies, and how many came before it."""

    slot: int
    place: int
    own: bool
    number: int
    symbol: str

    @classmethod
    def of(cls, rings: Rings, placed: Placed, i: int) -> Self:
        """Return where one of some rows lies."""
        slot = int(placed.slot[i])
        place, own, number = placed.place[i], placed.own[i], placed.number[i]
        return cls(slot, int(place), bool(own), int(number), rings.names[slot])


@dataclass
class Tried:
    """A row's inputs as they were made again, both ways; ``right`` is what was sent."""

    ring: bytes | None = None
    view: bytes | None = None
    right: bytes | None = None

    @property
    def parted(self) -> bool:
        """Whether the window does not follow from the last whole one."""
        return self.view is not None and self.right is None


@dataclass
class _View:
    """A symbol's last whole window: its newest bar, its steps, and the rows that do not follow."""

    symbol: str
    bar: int
    window: FloatArray
    failed: int = 0


class Maker:
    """Makes windows again.

    Parameters
    ----------
    rings, layout, calendar
        The steps, how they lie in a window, and which bars follow each other.
    """

    def __init__(self, rings: Rings, layout: Layout, calendar: Calendar) -> None:
        self._rings = rings
        self._layout = layout
        self._calendar = calendar
        self._views: dict[int, _View] = {}

    def make(self, at: At, sent: FloatArray, told: bytes | str, *, steps_first: bool) -> Tried:
        """Make a row's window both ways, until one is what was sent.

        Parameters
        ----------
        at, sent
            The row, and its last step.
        told
            Its inputs, if they were logged whole, or else their hash.
        steps_first
            Whether the way by the symbol's steps is the likelier one.
        """
        tried = Tried()
        if at.place < 0 or not self._layout.rebuildable:
            return tried
        for by_steps in (steps_first, not steps_first):
            window = self._by_steps(at, sent) if by_steps else self._by_view(at, sent)
            if by_steps:
                tried.ring = window
            else:
                tried.view = window
            if window is None:
                continue
            if window == told if isinstance(told, bytes) else inputs_hash(window) == told:
                tried.right = window
                break
        return tried

    def _by_steps(self, at: At, sent: FloatArray) -> bytes | None:
        first = at.place + 1 - self._layout.steps
        if first < 0:
            return None
        steps = self._rings.values[at.slot, first : at.place + 1]
        return self._layout.data(steps if at.own else np.vstack([steps[:-1], sent]))

    def _by_view(self, at: At, sent: FloatArray) -> bytes | None:
        view = self._views.get(at.slot)
        if view is None or view.symbol != at.symbol or view.failed >= PARTED:
            return None
        begin = int(np.searchsorted(self._rings.bars[at.slot, : at.place], view.bar))
        since = at.place - begin
        if not 0 < since < self._layout.steps:
            return None
        bars = self._rings.bars[at.slot, begin : at.place + 1]
        if bars[0] != view.bar or not self._calendar.unbroken(bars):
            return None
        steps = self._rings.values[at.slot, begin + 1 : at.place]
        return self._layout.data(np.vstack([view.window[since:], steps, sent]))

    def know(self, at: At, window: FloatArray) -> None:
        """Go on from a window that was logged whole."""
        bar = int(self._rings.bars[at.slot, at.place])
        self._views[at.slot] = _View(at.symbol, bar, window)

    def part(self, at: At) -> None:
        """Take note that a row does not follow the last whole window."""
        self._views[at.slot].failed += 1

    def forget(self, at: At) -> None:
        """Go on from the symbol's steps."""
        self._views.pop(at.slot, None)


@dataclass
class Made:
    """Windows as they are made again, or were logged."""

    rows: list[int] = field(default_factory=list)
    data: list[bytes] = field(default_factory=list)
    exact: list[bool] = field(default_factory=list)

    def add(self, row: int, data: bytes | None, tried: Tried) -> None:
        """Add that of one row, if anything is known of it."""
        made = data or tried.right or tried.ring
        if made is not None:
            self.rows.append(row)
            self.data.append(made)
            self.exact.append(data is not None or tried.right is not None)

    def rebuilt(self, layout: Layout) -> Rebuilt:
        """Return all of them."""
        return Rebuilt(
            rows=np.array(self.rows, np.int64),
            windows=parse_inputs(layout.given, self.data),
            exact=np.array(self.exact, bool),
        )
