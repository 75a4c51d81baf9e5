"""Who was found right and wrong lately: counts per symbol, bounded in number and length."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

MOST_SYMBOLS = 4_096
"""The symbols longest silent are forgotten first."""

NEWEST = 40
"""Checked rows that are remembered of a symbol."""


@dataclass
class Trail:
    """The newest checked rows of one symbol.

    Attributes
    ----------
    rows
        Rows seen, checked or not.
    since
        Rows since the last one checked; many at first, so that the first known row is.
    looking
        How many of its next rows are to be checked one by one.
    checks
        Of each checked row, twice its number among the rows seen, plus one if it was wrong.
    wrong
        How many of these are wrong.
    """

    rows: int = 0
    since: int = NEWEST
    looking: int = 0
    checks: deque[int] = field(default_factory=lambda: deque(maxlen=NEWEST))
    wrong: int = 0

    def note(self, row: int, *, wrong: bool) -> None:
        """Remember a checked row by its number among the rows seen."""
        if len(self.checks) == NEWEST:
            self.wrong -= self.checks[0] & 1
        self.checks.append(2 * row + wrong)
        self.wrong += wrong

    def newest(self, rows: int) -> tuple[int, int]:
        """Return how many of the newest rows were checked, and how many of these were wrong."""
        first = 2 * (self.rows - rows)
        found = [each for each in self.checks if each >= first]
        return len(found), sum(each & 1 for each in found)

    def forget(self) -> None:
        """Forget the checks."""
        self.checks.clear()
        self.wrong = self.looking = 0


class Trails:
    """Trails by symbol."""

    def __init__(self) -> None:
        self._by_symbol: OrderedDict[str, Trail] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_symbol)

    def __getitem__(self, symbol: str) -> Trail:
        """Return the trail of a symbol that has just spoken."""
        trail = self._by_symbol.get(symbol)
        if trail is None:
            trail = self._by_symbol[symbol] = Trail()
            if len(self._by_symbol) > MOST_SYMBOLS:
                self._by_symbol.popitem(last=False)
        else:
            self._by_symbol.move_to_end(symbol)
        return trail

    def get(self, symbol: str) -> Trail | None:
        """Return the trail of a symbol if there is one."""
        return self._by_symbol.get(symbol)

    def all(self) -> Iterable[Trail]:
        """Return every trail."""
        return self._by_symbol.values()
