"""Whether columns of the time of day or week are those of the bar that a row says it is about.

If they have been that and are now those of another time, and always of the same other time, the
feed is so many bars late or its clock is in another time zone. What began it must show that: a row
that repeats what was sent of the bar so long before, a bar time that jumped by so much, or windows
that go on from the right rows without a break. A replay under made-up times that goes on elsewhere
shows none of these, and is nobody's fault.

Columns that no time has are the client's whatever came before: in another unit, standardised, of
other columns.

Columns of a local time move by an hour when its clocks do. Where the reference is of one half of
the year only, a shift of one hour in the other half is not held against anybody.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from plumbline.bundle.array import BoolArray, FloatArray, IntArray
from plumbline.bundle.reference import ReferenceProfile
from plumbline.diagnosis.exact.comparison import ROUNDING, Scale
from plumbline.monitoring.watching.audit.client_fault import ClientFault, Faults
from plumbline.monitoring.watching.audit.phase_fault import another_time, no_time, phase_fault
from plumbline.monitoring.watching.audit.rings import Rings
from plumbline.monitoring.watching.audit.scope import (
    Covers,
    Scope,
    everybody,
    make_room,
    scope_of,
    without,
)
from plumbline.monitoring.watching.audit.sequel import Sequel
from plumbline.monitoring.watching.audit.time_table import WEEK, TimeTable

ROWS = 15
"""Rows in a row, of one symbol, that must be those of the same other time."""

BEFORE = 24
"""Rows of a symbol in a row that must have been right before."""

ROWS_TOGETHER = 20
"""The same of all symbols of a client."""

NO_TIME = WEEK
"""In place of a shift, which is half a week at most: the columns are those of no time."""

_HOUR = 3_600_000_000
_SPRING, _AUTUMN = 66, 312
_SEVERAL = 2
_BEGINNING = 3
_NEARLY_ALL = 0.9


@dataclass
class _Run:
    """Rows of one scope that are of another time, one after the other.

    Attributes
    ----------
    rows, symbols
        How many, and of which symbols.
    shifts
        How many of them each shift explains, in microseconds of the week.
    since
        Bar of the first of them.
    begun
        Shifts that what began it shows.
    right
        Rows in a row that are right since it was told.
    newest
        The columns of the newest rows of no time: as they came, and as they should be.
    """

    since: int
    rows: int = 0
    symbols: set[str] = field(default_factory=set)
    shifts: Counter[int] = field(default_factory=Counter)
    begun: set[int] = field(default_factory=set)
    right: int = 0
    newest: deque[tuple[FloatArray, FloatArray]] = field(
        default_factory=lambda: deque(maxlen=ROWS_TOGETHER)
    )


class _Row(NamedTuple):
    """A row: whose, its place in the batch, its bar, how far that went on, and its columns.

    ``time`` is the place of its time, ``timeless`` whether its columns are of none.
    """

    name: str
    place: int
    bar: int
    step: int
    features: FloatArray
    time: int
    timeless: bool


class Phase(Faults):
    """Compares the columns of the time of day and week with the bar time of rows.

    Parameters
    ----------
    names, reference, scale
        Columns, the healthy stream, and what is usual of it.
    interval
        Of a bar, in microseconds.
    table
        What the time decides.
    """

    def __init__(
        self,
        names: Sequence[str],
        reference: ReferenceProfile,
        scale: Scale,
        interval: int,
        table: TimeTable,
    ) -> None:
        super().__init__()
        self._names = tuple(names)
        self._interval = interval
        self._scale = scale
        self._slack = ROUNDING * scale.deviation
        self._seasons = set(_summer(reference.bar_time).tolist())
        self._table = table
        self._sequel = Sequel.learn(reference, interval, table.columns)
        self._right: dict[str, int] = {}
        self._newest: dict[str, int] = {}
        self._runs: dict[Scope, _Run] = {}
        self._told: dict[Scope, ClientFault] = {}

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the time decides."""
        return tuple(self._names[j] for j in self._table.columns)

    def take(
        self,
        bar_time: IntArray,
        features: FloatArray,
        names: Sequence[str],
        rings: Rings,
        *,
        row: int = 0,
    ) -> None:
        """Take rows, oldest in the log first.

        Parameters
        ----------
        bar_time, features : (n,), (n, f)
        names
            Whose each is, as rings are named.
        rings
            In which they lie.
        row
            Place of the first in its batch.
        """
        if not len(self._table):
            return
        sent = features[:, self._table.columns]
        place, known = self._table.find(bar_time)
        off = self._table.off(sent, place)
        right: BoolArray = np.logical_not(off.any(axis=1))
        wrong = bool(self._runs) or not right[known].all()
        if not wrong and all(self._right.get(name, 0) >= BEFORE for name in dict.fromkeys(names)):
            some = np.flatnonzero(known).tolist()
            bars = bar_time[known].tolist()
            self._newest.update(zip((names[i] for i in some), bars, strict=True))
            return
        timeless = self._table.timeless(sent, off)
        for i in np.flatnonzero(known).tolist():
            name, bar = names[i], int(bar_time[i])
            new = self._right.get(name, 0) < BEFORE
            if new:
                self._begin(name, right=bool(right[i]))
            if timeless[i] or (scope_of(name) in self._runs if new else wrong):
                before = self._newest.get(name, bar)
                sender = _Row(
                    name, row + i, bar, bar - before, features[i], int(place[i]), bool(timeless[i])
                )
                self._go_on(sender, rings, right=bool(right[i]))
            self._newest[name] = bar

    def _begin(self, name: str, *, right: bool) -> None:
        """Wait for a symbol to be right for a while."""
        if name not in self._right:
            make_room(self._right)
            make_room(self._newest)
        self._right[name] = self._right.get(name, 0) + 1 if right else 0

    def _go_on(self, sent: _Row, rings: Rings, *, right: bool) -> None:
        """Take a row of a symbol that has been right."""
        scope = scope_of(sent.name)
        together: Scope = (scope[0], "")
        if right:
            self._agree(scope, sent.place)
            self._agree(together, sent.place)
            return
        if sent.timeless:
            shifts, begun = [NO_TIME], {NO_TIME}
        else:
            shifts = self._table.shifts(sent.bar, sent.features[self._table.columns])
            if bool(_summer(np.array([sent.bar]))[0]) not in self._seasons:
                shifts = [shift for shift in shifts if abs(shift) != _HOUR]
            begun = self._began(scope, sent, shifts, rings)
        for each in (scope, together):
            self._differ(each, sent, scope[1], shifts, begun)

    def _began(self, scope: Scope, sent: _Row, shifts: Sequence[int], rings: Rings) -> set[int]:
        """Return the shifts that what began the run of a row shows."""
        if self._right.get(sent.name, 0) < BEFORE:
            return set()
        run = self._runs.get(scope)
        begun: set[int] = set()
        if run is None or run.rows < _BEGINNING:
            begun |= self._begun(sent, shifts, rings)
            if self._goes_on(sent, sent.bar if run is None else run.since, rings):
                begun |= set(shifts)
        if run is not None and rings.continuous(sent.name, run.since):
            begun |= set(shifts)
        return begun

    def _goes_on(self, sent: _Row, since: int, rings: Rings) -> bool:
        """Whether a row goes on from the last right one in the columns that no time decides."""
        bars, values = rings.held(sent.name)
        place = int(np.searchsorted(bars, since)) - 1
        follows = place >= 0 and since - bars[place] == self._interval
        return bool(follows) and self._sequel.goes_on(values[place], sent.features)

    def _begun(self, sent: _Row, shifts: Sequence[int], rings: Rings) -> set[int]:
        """Return the shifts that a row's steps and its bar show to begin with it."""
        bars, values = rings.held(sent.name)
        place = int(np.searchsorted(bars, sent.bar))
        found = set()
        for shift in shifts:
            was = int(np.searchsorted(bars, sent.bar - shift))
            if shift > 0 and was < place and bars[was] == sent.bar - shift:
                off = np.abs(values[was] - sent.features)
                if (off <= self._slack).all():
                    found.add(shift)
            if sent.step - self._interval == shift:
                found.add(shift)
        return found

    def forget(self, covers: Covers = everybody) -> None:
        """Withdraw what is held against some: somebody has accepted their inputs as they are."""
        kept = {name: n for name, n in self._right.items() if not covers(scope_of(name))}
        self._right, self._runs = kept, without(self._runs, covers)
        self._told = without(self._told, covers)

    def _agree(self, scope: Scope, row: int) -> None:
        run = self._runs.get(scope)
        if run is None:
            return
        if scope not in self._told:
            del self._runs[scope]
            return
        run.right += 1
        if run.right >= ROWS:
            del self._runs[scope]
            self._over.append(replace(self._told.pop(scope), row=row))

    def _differ(
        self, scope: Scope, sent: _Row, symbol: str, shifts: Sequence[int], begun: set[int]
    ) -> None:
        run, row = self._runs.get(scope), sent.place
        if run is None:
            make_room(self._runs)
            run = self._runs[scope] = _Run(sent.bar)
        run.rows += 1
        run.right = 0
        if len(run.symbols) < _SEVERAL:
            run.symbols.add(symbol)
        run.shifts.update(shifts)
        run.begun |= begun
        if sent.timeless:
            own = self._table.columns
            run.newest.append((sent.features[own], self._table.values[sent.time]))
        told = scope in self._told or (scope[0], "") in self._told
        enough = run.rows >= ROWS
        if scope[1] == "":
            enough = run.rows >= ROWS_TOGETHER and len(run.symbols) >= _SEVERAL
        shown = [each for each in run.begun if run.shifts[each] >= _NEARLY_ALL * run.rows]
        if not enough or told or not shown:
            return
        shift = min(shown, key=abs)
        for other in [each for each in self._told if scope[1] == "" and each[0] == scope[0]]:
            self._over.append(replace(self._told.pop(other), row=row))
        places = self._table.columns
        if shift == NO_TIME:
            usual = Scale(self._scale.mean[places], self._scale.deviation[places])
            called = no_time(list(run.newest), self.columns, usual, self._table.period)
        else:
            called = another_time(shift, self._interval, len(places))
        fault = phase_fault(scope, called, self._names, places, row=row, rows=run.rows)
        make_room(self._told)
        self._told[scope] = fault
        self._found.append(fault)


def _summer(bar_time: IntArray) -> BoolArray:
    """Whether clocks may be set to summer time then: March 8 to November 7."""
    days = bar_time.astype("datetime64[us]").astype("datetime64[D]")
    day = (days - days.astype("datetime64[Y]")).astype(np.int64)
    summer: BoolArray = (day >= _SPRING) & (day < _AUTUMN)
    return summer
