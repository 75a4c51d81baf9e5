"""From one wrong answer to a fault, and from a fault to its end."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil, log

from plumbline.monitoring.watching.audit.trail import MOST_SYMBOLS, NEWEST, Trails

LIFTED_ROWS = 60
LIFTED_CHECKS = 10
"""Right rows of the accused symbols, and checked ones among them, after which a fault is over."""

_BY_CHANCE = 1e-4
"""So rarely are that many checks right while the fault goes on in part of the rows."""

_MOST_CHECKS = 200
_OFTEN = 0.6
_FEW, _MANY = 16, 2**32
_SOUND_CHECKS = 8
"""Right checks since the first wrong one, and no wrong, after which a symbol is called sound."""

Check = tuple[str, int, bool]
"""A symbol, the number of a row among its rows, and whether that was wrong."""


@dataclass
class Standing:
    """A confirmed fault, until it is over.

    Attributes
    ----------
    place
        In its batch, of the row that confirmed it.
    since_rows
        Rows of the accused symbols from the first wrong one to that one.
    symbols
        The accused; they become more as more are found.
    """

    place: int
    since_rows: int
    symbols: set[str]
    last_wrong: int
    right_rows: int = 0
    right_checks: int = 0


@dataclass
class Doubt:
    """What the checks of one kind add up to.

    Attributes
    ----------
    trails
        Of the symbols.
    needed
        Wrong ones among the newest `NEWEST` checks, of a symbol or of all, that make a fault.
    looking
        How many of the next rows, whosever, are to be checked one by one.
    standing
        The fault that holds.
    counts
        By symbol, checks since the first wrong one and how many of these were wrong.
    """

    trails: Trails
    needed: int
    looking: int = 0
    standing: Standing | None = None
    counts: dict[str, tuple[int, int]] = field(default_factory=dict)
    _pool: deque[bool] = field(default_factory=lambda: deque(maxlen=NEWEST))
    _first: dict[str, int] = field(default_factory=dict)
    _newest: dict[str, int] = field(default_factory=dict)
    _everybody: bool = False
    _faults: int = 0
    _suspects: Sequence[str] = ()

    def note(self, place: int, checks: Sequence[Check], *, looking: bool = False) -> bool:
        """Take one row, or one cross-section, that was checked.

        Parameters
        ----------
        place
            In the batch, of the last of its rows.
        checks
            Of its rows.
        looking
            Whether these are rows that are looked at one by one already.

        Returns
        -------
        Whether this changes which rows are to be checked next: then call `turn`.
        """
        wrong = [check for check in checks if check[2]]
        if not wrong and not self._first:
            for symbol, number, _ in checks:
                self.trails[symbol].note(number, wrong=False)
            self._pool.append(False)
            return False
        if wrong and self.standing is None and not self._suspected():
            self._forget()
        for symbol, number, bad in checks:
            self.trails[symbol].note(number, wrong=bad)
            self._count(symbol, bad)
        if self.standing is not None:
            self._note_standing(self.standing, place, checks)
            return False
        self._pool.append(bool(wrong))
        for symbol, number, _ in wrong:
            self._first.setdefault(symbol, number)
            self._newest[symbol] = number
        if not wrong:
            return False
        if sum(self._pool) >= self.needed or self._most_wrong() >= self.needed:
            self._confirm(place)
            return True
        return self._look(wrong, looking=looking)

    def note_right(self, rows: int) -> None:
        """Take so many rows that were checked and right, whoever's they are."""
        self._pool.extend([False] * min(rows, NEWEST))

    def end(self, symbols: Sequence[str]) -> bool:
        """Take the end of a batch with rows of these symbols; true when the fault is over."""
        standing = self.standing
        if standing is None:
            return False
        after = symbols[standing.last_wrong + 1 :]
        standing.right_rows += sum(symbol in standing.symbols for symbol in after)
        standing.last_wrong = -1
        if standing.right_rows < LIFTED_ROWS or standing.right_checks < self._checks_to_lift():
            return False
        self._forget()
        return True

    @property
    def progress(self) -> int:
        """Changes with every fault, and with every few checks while one holds; 0 without one."""
        if self.standing is None:
            return 0
        checks = sum(n for n, _ in self.counts.values())
        return self._faults * _MANY + checks // _FEW + 1

    @property
    def sound(self) -> list[str]:
        """Symbols that have been right ever since the first wrong answer of any.

        After many checks of its own; or after many of all others together, where the wrong answers
        are not scattered but again and again those of the accused.
        """
        right = {k: n for k, (n, wrong) in self.counts.items() if not wrong}
        accused = [each for each in self.counts.values() if each[1]]
        often = bool(accused) and all(wrong >= max(2, _OFTEN * n) for n, wrong in accused)
        if often and sum(right.values()) >= _SOUND_CHECKS:
            return list(right)
        return [symbol for symbol, n in right.items() if n >= _SOUND_CHECKS]

    def _count(self, symbol: str, wrong: bool) -> None:
        if symbol in self.counts or len(self.counts) < MOST_SYMBOLS:
            n, bad = self.counts.get(symbol, (0, 0))
            self.counts[symbol] = (n + 1, bad + wrong)

    def turn(self) -> None:
        """Begin to look at rows one by one, or end it, as the newest wrong answer demands.

        At everybody's next rows, and at those of a symbol that may be the only one.
        """
        if self.standing is not None:
            self.looking = 0
            for trail in self.trails.all():
                trail.looking = 0
            return
        if self._everybody:
            self.looking = NEWEST
        for symbol in self._suspects:
            self.trails[symbol].looking = NEWEST

    def _look(self, wrong: Sequence[Check], *, looking: bool) -> bool:
        self._everybody = not looking
        self._suspects = [symbol for symbol, _, _ in wrong if self.trails[symbol].wrong == 1]
        return self._everybody or bool(self._suspects)

    def _suspected(self) -> bool:
        """Whether a wrong answer is remembered."""
        return any(self._pool) or self._most_wrong() > 0

    def _most_wrong(self) -> int:
        found = [self.trails.get(symbol) for symbol in self._first]
        return max((trail.wrong for trail in found if trail is not None), default=0)

    def _confirm(self, place: int) -> None:
        rows = sum(self._newest[symbol] - first + 1 for symbol, first in self._first.items())
        self.standing = Standing(place, rows, set(self._first), last_wrong=place)
        self._faults += 1

    def _checks_to_lift(self) -> int:
        accused = self.standing.symbols if self.standing is not None else ()
        counted = [self.counts[symbol] for symbol in accused if symbol in self.counts]
        checks, wrong = (sum(each) for each in zip(*counted, strict=True)) if counted else (1, 1)
        share = min((wrong + 1) / (checks + 1), 0.999)
        return min(max(LIFTED_CHECKS, ceil(log(_BY_CHANCE) / log(1.0 - share))), _MOST_CHECKS)

    def _note_standing(self, standing: Standing, place: int, checks: Sequence[Check]) -> None:
        for symbol, _, wrong in checks:
            if wrong:
                standing.symbols.add(symbol)
                standing.right_rows = standing.right_checks = 0
                standing.last_wrong = place
            elif symbol in standing.symbols:
                standing.right_checks += 1

    def _forget(self) -> None:
        for trail in self.trails.all():
            if trail.wrong or trail.looking:
                trail.forget()
        self.standing = None
        self.looking = 0
        self._pool.clear()
        self._first.clear()
        self._newest.clear()
        self.counts.clear()
