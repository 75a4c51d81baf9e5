"""An accusation of a client that has been made, and what ends it.

A history that was wrong for good is over when rows agree again. A change is over when another one
undoes it; when windows say of the bars before it what was said then; when columns that stood still
move again; or when somebody accepts the new inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from plumbline.bundle.array import BoolArray, FloatArray, IntArray
from plumbline.diagnosis.exact.comparison import Scale
from plumbline.diagnosis.exact.relation import RelationKind
from plumbline.monitoring.watching.audit.client_fault import ClientFault
from plumbline.monitoring.watching.audit.look import Look

AGREED_ROWS = 20
"""Rows in a row that must agree, or move after a standstill, before what was wrong is right."""

AGREED_WINDOWS = 2
"""The same in windows that were logged whole."""

FOLLOWED_ROWS = 4
"""Rows that go on from one window of the old bars as they were, instead of a second such window."""

MOVED = 1e-3
"""In deviations of the reference: a column farther than this from a constant does not keep it."""

_HALF = 0.5


@dataclass(frozen=True)
class Heard:
    """Last steps as they came.

    Attributes
    ----------
    first
        Place of the first in its batch.
    names
        Whose they are, with the client's name where that is known.
    bars : (n,) int64
    features : (n, f) float32
    """

    first: int
    names: Sequence[str]
    bars: IntArray
    features: FloatArray


@dataclass
class Accusation:
    """One that stands.

    Attributes
    ----------
    fault
        What is wrong.
    border
        The newest bar that was sent otherwise before.
    agreed_from, agreed_rows, agreed_windows
        Of a history, since which row it agrees, in how many rows and windows. Of a change, windows
        that say of the old bars what was said then, and rows that go on from these.
    moving, still_bar
        Rows in a row whose columns do not stand still any more, and the newest bar at which they
        did.
    """

    fault: ClientFault
    border: int
    agreed_from: int = -1
    agreed_rows: int = 0
    agreed_windows: int = 0
    moving: int = 0
    still_bar: int = -1

    @property
    def over(self) -> bool:
        """Whether rows and windows enough agree."""
        enough = FOLLOWED_ROWS if self.fault.kind == "change" else AGREED_ROWS
        return self.agreed_rows >= enough or self.agreed_windows >= AGREED_WINDOWS

    def agree(self, number: int, *, apart: bool, window: bool) -> None:
        """Take a row with the history it should have.

        Parameters
        ----------
        number
            Of the row among those of its symbol.
        apart
            Whether it is about this symbol alone: then rows between that were not looked at count.
        window
            Whether the row was logged whole.
        """
        if self.fault.kind != "history":
            return
        if self.agreed_from < 0:
            self.agreed_from = number
        self.agreed_rows = number - self.agreed_from + 1 if apart else self.agreed_rows + 1
        self.agreed_windows += window

    def disagree(self) -> None:
        """Take a row with another history than it should have."""
        self.agreed_from = -1
        self.agreed_rows = self.agreed_windows = 0

    def go_back(self, seen: Look) -> bool:
        """Take a whole window; true if it says of the bars before a change what was said then."""
        if self.fault.kind != "change" or not seen.keeps(self.border):
            return False
        self.agreed_windows += 1
        self.agreed_rows = 0
        return True

    def follow(self) -> None:
        """Take a row that goes on from the last whole window."""
        if self.fault.kind == "change" and self.agreed_windows:
            self.agreed_rows += 1

    def hear(self, rows: Heard, own: Sequence[bool], scale: Scale) -> int | None:
        """Take last steps, some of them of the accused; return the row at which columns move again.

        That is, have moved in so many rows in a row; None where there is none.
        """
        if not self.constants:
            return None
        moves = self._moves(rows.features, scale)
        for i in np.flatnonzero(own).tolist():
            self.moving = self.moving + 1 if moves[i] else 0
            if not moves[i]:
                self.still_bar = max(self.still_bar, int(rows.bars[i]))
            elif self.moving >= AGREED_ROWS:
                return rows.first + i
        return None

    @cached_property
    def constants(self) -> dict[int, float]:
        """Of a change by which columns only came to stand still: each one's place, and at what."""
        difference = self.fault.difference
        if self.fault.kind != "change" or difference is None:
            return {}
        found = {j: difference.relations[j] for j in difference.places}
        still = all(each.kind is RelationKind.BLANK for each in found.values())
        return {j: each.offset for j, each in found.items()} if still else {}

    def _moves(self, features: FloatArray, scale: Scale) -> BoolArray:
        """Tell in which rows half of the accused columns are not what they stood at."""
        places = list(self.constants)
        apart = np.abs(features[:, places] - np.array([self.constants[j] for j in places]))
        moved: BoolArray = (apart > MOVED * scale.deviation[places]).mean(axis=1) >= _HALF
        return moved
