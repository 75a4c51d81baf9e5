"""Which symbol sits where, in arrays that hold the state of many of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from plumbline.bundle.array import IntArray

MAX_SYMBOLS = 4096
"""So many at once are remembered; the longest silent gives way to a new one."""

NOBODY = -1
"""Tenant of a place that nobody has taken yet."""


@dataclass
class Roster:
    """Gives each symbol a place, and a new one the place of the longest silent.

    Each time that a symbol sits down, it is another *tenant*: state that is kept by place is of a
    row's symbol only if it was written by the same tenant.

    Attributes
    ----------
    size
        Most symbols at once.
    """

    size: int = MAX_SYMBOLS
    _seated: OrderedDict[str, tuple[int, int]] = field(default_factory=OrderedDict)
    _free: list[int] = field(default_factory=list)
    _tenants: int = 0

    def seat(self, symbols: Sequence[str]) -> tuple[IntArray, IntArray]:
        """Return place and tenant of each row's symbol, ``(n,) int64`` each; O(1) a row."""
        n = len(symbols)
        if n and symbols.count(symbols[0]) == n:
            place, tenant = self._seat(symbols[0])
            return np.full(n, place), np.full(n, tenant)
        seated, touch = self._seated, self._seated.move_to_end
        found = []
        for symbol in symbols:
            known = seated.get(symbol)
            if known is None:
                known = self._seat(symbol)
            else:
                touch(symbol)
            found.append(known)
        pairs = np.array(found, np.int64).reshape(n, 2)
        return np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])

    def find(self, symbol: str) -> int | None:
        """Return the place of a symbol; None if it has none."""
        known = self._seated.get(symbol)
        return None if known is None else known[0]

    def forget(self, symbol: str) -> int | None:
        """Let a symbol go, and return the place that it leaves; None if it had none."""
        known = self._seated.pop(symbol, None)
        if known is None:
            return None
        self._free.append(known[0])
        return known[0]

    def _seat(self, symbol: str) -> tuple[int, int]:
        known = self._seated.get(symbol)
        if known is None:
            if self._free:
                place = self._free.pop()
            elif len(self._seated) < self.size:
                place = len(self._seated)
            else:
                _, (place, _) = self._seated.popitem(last=False)
            known = self._seated[symbol] = (place, self._tenants)
            self._tenants += 1
        self._seated.move_to_end(symbol)
        return known


def grown(state: np.ndarray, places: int) -> np.ndarray:
    """Return state with room for this many places, what is new being zero."""
    if len(state) >= places:
        return state
    room = max(places, min(2 * len(state), MAX_SYMBOLS))
    more = np.zeros((room - len(state), *state.shape[1:]), state.dtype)
    return np.concatenate([state, more])
