"""Whether a feed has fallen behind the clock.

A row says which bar it is about, and the log when it was answered. That a bar is over for an hour
when somebody asks about it is one client's habit; that it is over for longer than it used to be, in
one row after the other, is a late feed. The clock says nothing where rows do not come at the pace
of their bars: a replay drives years through in minutes, and a backlog is caught up with. Nor does
it where it was itself set, or the client was silent for as long.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from plumbline.monitoring.watching.audit.client_fault import ClientFault, Faults, finding
from plumbline.monitoring.watching.audit.scope import (
    Covers,
    Scope,
    everybody,
    make_room,
    who,
    without,
)

ROWS = 18
"""Late rows in a row before a feed is called late: one of two workers may be late by chance."""

AGAIN = 5
"""Rows in a row that are as they were before it is called right again."""

EVERY = 8
"""Of a symbol that gives no reason to look closer, two rows in so many are looked at."""

_LIVE = 6
_KEPT = 32
_LATE = 0.75
_SPREADS = 6.0
_SAME_PACE = 0.3
_ACTIVE = 8
_REFRESHED = 12


@dataclass
class _Clock:
    """What is known of one symbol's pace.

    Attributes
    ----------
    time, bar, number
        Of the row before.
    paced
        Steps in a row in which time and bars went on alike.
    usual
        Ages of bars when they were asked about, newest last.
    late, again
        Rows in a row that were late, or were not any more.
    since
        Number of the first late row.
    """

    time: int
    bar: int
    number: int
    paced: int = 0
    usual: deque[int] = field(default_factory=lambda: deque(maxlen=_KEPT))
    late: int = 0
    again: int = 0
    since: int = 0
    _added: int = 0
    _limit: tuple[float, float] | None = None

    def add(self, age: int) -> None:
        """Remember an age; what is usual is looked at again every few rows."""
        self.usual.append(age)
        self._added += 1
        if self._added % _REFRESHED == 0:
            self._limit = None

    def move(self, by: int) -> None:
        """Take ages for so much greater: the clock was set, or the client silent."""
        self.usual = deque((age + by for age in self.usual), maxlen=_KEPT)
        self._limit = None

    def limit(self, interval: int) -> tuple[float, float]:
        """Return the usual age, and by how much more a row is late."""
        if self._limit is None:
            middle = _middle(sorted(self.usual))
            spread = _middle(sorted(abs(age - middle) for age in self.usual))
            self._limit = middle, max(_LATE * interval, _SPREADS * spread)
        return self._limit


class Lateness(Faults):
    """Compares bar times with the clock.

    Parameters
    ----------
    interval
        Of a bar, in microseconds.
    """

    def __init__(self, interval: int) -> None:
        super().__init__()
        self._interval = interval
        self._clocks: dict[Scope, _Clock] = {}
        self._told: dict[Scope, ClientFault] = {}
        self.watched: set[Scope] = set()

    def take(self, scope: Scope, row: int, number: int, time: int, bar: int) -> None:
        """Take a row of a symbol.

        Parameters
        ----------
        scope
            Client and symbol.
        row, number
            Its place in the batch, and how many rows of the symbol came before.
        time, bar
            When it was answered, and the bar it says it is about.
        """
        if bar < 0:
            return
        clock = self._clocks.get(scope)
        if clock is None:
            make_room(self._clocks)
            self._clocks[scope] = _Clock(time, bar, number)
            return
        if self._step(clock, time, bar, number):
            self._judge(scope, clock, row, time - bar - self._interval)
        elif scope not in self._told:
            self.watched.discard(scope)

    def forget(self, covers: Covers = everybody) -> None:
        """Withdraw what is held against some: somebody has accepted their inputs as they are."""
        self._clocks = without(self._clocks, covers)
        self._told = without(self._told, covers)
        self.watched = {scope for scope in self.watched if not covers(scope)}

    def _step(self, clock: _Clock, time: int, bar: int, number: int) -> bool:
        """Go on to the next row; returns whether the clock says something."""
        passed, bars, rows = time - clock.time, bar - clock.bar, number - clock.number
        clock.time, clock.bar, clock.number = time, bar, number
        behind = passed - bars
        silent = passed - rows * self._interval >= _LATE * behind
        if behind > self._interval / 2 and silent:
            clock.move(behind)
        elif bars > 0 and abs(behind) <= max(_SAME_PACE * bars, 0.2 * self._interval):
            clock.paced = min(clock.paced + 1, _KEPT)
        elif bars > 0 and -behind > bars / 2:
            clock.paced = clock.late = 0
            clock.usual.clear()
            return False
        return clock.paced >= _LIVE

    def _judge(self, scope: Scope, clock: _Clock, row: int, age: int) -> None:
        usual = clock.usual
        if len(usual) < _LIVE:
            usual.append(age)
            return
        middle, limit = clock.limit(self._interval)
        excess = age - middle
        if excess > limit:
            clock.since = clock.since if clock.late else clock.number
            clock.late += 1
            clock.again = 0
            self.watched.add(scope)
            if clock.late >= ROWS:
                self._confirm(scope, clock, row, excess)
            return
        clock.add(age)
        clock.late = 0
        clock.again += 1
        if clock.again >= AGAIN or scope not in self._told:
            self.watched.discard(scope)
        if clock.again >= AGAIN:
            self._end(scope, row)

    def _confirm(self, scope: Scope, clock: _Clock, row: int, excess: float) -> None:
        client = scope[0]
        if scope in self._told or (client, "") in self._told:
            return
        peers = self._peers(client, clock.time)
        if len(peers) > 1 and 2 * sum(each.late > 0 for each in peers) > len(peers):
            scope = (client, "")
            for other in [each for each in self._told if each[0] == client]:
                self._over.append(replace(self._told.pop(other), row=row))
        fault = self._fault(scope, clock, row, excess)
        make_room(self._told)
        self._told[scope] = fault
        self._found.append(fault)

    def _end(self, scope: Scope, row: int) -> None:
        """End what was said of a symbol, and of its client if most are right again."""
        for each in (scope, (scope[0], "")):
            if each not in self._told:
                continue
            if each[1] == "":
                peers = self._peers(scope[0], self._clocks[scope].time)
                if 2 * sum(peer.late > 0 for peer in peers) > len(peers):
                    continue
            self._over.append(replace(self._told.pop(each), row=row))

    def _peers(self, client: str, time: int) -> list[_Clock]:
        """Return the symbols of a client that are asked about these days."""
        since = time - _ACTIVE * self._interval
        return [
            clock
            for scope, clock in self._clocks.items()
            if scope[0] == client and clock.time >= since and clock.paced >= _LIVE
        ]

    def _fault(self, scope: Scope, clock: _Clock, row: int, excess: float) -> ClientFault:
        client, symbol = scope
        since = clock.number - clock.since + 1
        bars = excess / self._interval
        shown = f"{bars:.1f}".removesuffix(".0")
        count = f"{shown} bar{'' if shown == '1' else 's'}"
        cause = (
            f"The feed{who(client, symbol)} is late: for {since} rows the newest bar has been "
            f"{count} older by the clock than it used to be."
        )
        return ClientFault(
            symbol=symbol,
            client=client,
            row=row,
            since_rows=since,
            kind="late",
            cause=cause,
            columns=(),
            finding=finding("bars_late", bars, since, cause, ()),
        )


def _middle(ordered: Sequence[float]) -> float:
    """Return the median of numbers in order; `statistics.median` takes many times as long."""
    n = len(ordered)
    return (ordered[n // 2] + ordered[(n - 1) // 2]) / 2
