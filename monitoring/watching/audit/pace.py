"""How often answers are replayed: as often as asked for, unless the graph is too slow for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import ceil

SECONDS_A_ROW = 12e-6
"""What replaying may take of each row of a backlog."""

SHARE_OF_TIME = 0.2
"""And of the time that passes, which for rows as they come is far more."""

_SAVED = 2.0
_SELDOM = 1_024


class Pace:
    """One row in so many, or fewer while more time has been spent than there was.

    Parameters
    ----------
    every
        One in so many, as long as time allows.
    clock
        Seconds that never go back.
    """

    def __init__(self, every: int, clock: Callable[[], float] = time.perf_counter) -> None:
        self._every = every
        self._clock = clock
        self._saved, self._cost, self._last = _SAVED, 0.0, clock()

    def begin(self, rows: int) -> int:
        """Add what so many new rows may take, and return one in how many is to be replayed."""
        now = self._clock()
        self._saved += SECONDS_A_ROW * rows + SHARE_OF_TIME * (now - self._last)
        self._saved, self._last = min(self._saved, _SAVED), now
        if self._saved >= 0:
            return self._every
        return min(max(self._every, ceil(self._cost / SECONDS_A_ROW)), _SELDOM)

    def spend(self, began: float, replays: int) -> None:
        """Note that so many replays took the time since then."""
        took = self._clock() - began
        self._saved -= took
        cost = took / max(replays, 1)
        self._cost = cost if self._cost == 0 else 0.8 * self._cost + 0.2 * cost

    def now(self) -> float:
        """Return the clock's time."""
        return self._clock()
