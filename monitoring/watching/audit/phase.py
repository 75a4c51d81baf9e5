"""Whether columns of the time of day or week are those of the bar that a row says it is about.

In the reference some columns are the same whenever the time of the week is: sine and cosine of the
hour, the weekday. A live row that says its bar then says what they must be. If they have been that
and are now those of another time, and always of the same other time, the feed is so many bars late
or its clock is in another time zone. What began it must show that: a row that repeats what was sent
of the bar so long before, a bar time that jumped by so much, or windows that go on from the right
rows without a break. A replay under made-up times that goes on elsewhere shows none of these, and
is nobody's fault.

Columns of a local time move by an hour when its clocks do. Where the reference is of one half of
the year only, a shift of one hour in the other half is not held against anybody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from plumbline.bundle.array import BoolArray, FloatArray, IntArray
from plumbline.bundle.reference import ReferenceProfile
from plumbline.diagnosis.exact.comparison import ROUNDING, Scale
from plumbline.diagnosis.exact.relation import Difference, Relation, RelationKind
from plumbline.monitoring.watching.audit.client_fault import ClientFault, Faults, finding
from plumbline.monitoring.watching.audit.rings import Rings
from plumbline.monitoring.watching.audit.scope import (
    Covers,
    Scope,
    everybody,
    make_room,
    scope_of,
    who,
    without,
)

ROWS = 15
"""Rows in a row, of one symbol, that must be those of the same other time."""

BEFORE = 24
"""Rows of a symbol in a row that must have been right before."""

ROWS_TOGETHER = 20
"""The same of all symbols of a client."""

_HOUR = 3_600_000_000
_DAY = 24 * _HOUR
_WEEK = 7 * _DAY
_SPRING, _AUTUMN = 66, 312
_TIMES = 3
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
    """

    since: int
    rows: int = 0
    symbols: set[str] = field(default_factory=set)
    shifts: Counter[int] = field(default_factory=Counter)
    begun: set[int] = field(default_factory=set)
    right: int = 0


class _Row(NamedTuple):
    """A row: whose, its place in the batch, its bar, how far that went on, and its columns."""

    name: str
    place: int
    bar: int
    step: int
    features: FloatArray


class Phase(Faults):
    """Compares the columns of the time of day and week with the bar time of rows.

    Parameters
    ----------
    names, reference, scale
        Columns, the healthy stream, and what is usual of it.
    interval
        Of a bar, in microseconds.
    """

    def __init__(
        self, names: Sequence[str], reference: ReferenceProfile, scale: Scale, interval: int
    ) -> None:
        super().__init__()
        self._names = tuple(names)
        self._interval = interval
        self._slack = ROUNDING * scale.deviation
        self._seasons = set(_summer(reference.bar_time).tolist())
        self._period, self._moments, self._table, self._columns = self._learn(reference)
        self._right: dict[str, int] = {}
        self._newest: dict[str, int] = {}
        self._runs: dict[Scope, _Run] = {}
        self._told: dict[Scope, ClientFault] = {}

    def _learn(self, reference: ReferenceProfile) -> tuple[int, IntArray, FloatArray, IntArray]:
        """Find the columns that the time of the week decides, or else that of the day."""
        for period in (_WEEK, _DAY):
            moment = reference.bar_time % period
            order = np.argsort(moment, kind="stable")
            moments, first, counts = np.unique(moment[order], return_index=True, return_counts=True)
            if len(moments) < 2 or len(reference) < _TIMES * len(moments):
                continue
            low = np.minimum.reduceat(reference.features[order], first)
            high = np.maximum.reduceat(reference.features[order], first)
            same = high - low <= self._slack
            often = counts >= 2
            told = same[often].all(axis=0) & often.any()
            moves = np.ptp(low, axis=0) > 10 * self._slack
            columns = np.flatnonzero(told & moves)
            if len(columns):
                known = (low[:, columns] + high[:, columns]) / 2
                return period, moments, known, columns
        nothing = np.empty(0, np.int64)
        return _WEEK, nothing, np.empty((0, 0)), nothing

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the time decides."""
        return tuple(self._names[j] for j in self._columns)

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
        if not len(self._columns):
            return
        moment = bar_time % self._period
        place = np.searchsorted(self._moments, moment).clip(max=len(self._moments) - 1)
        known = (bar_time >= 0) & (self._moments[place] == moment)
        sent = features[:, self._columns]
        right = self._matches(sent, self._table[place])
        wrong = bool(self._runs) or not right[known].all()
        if not wrong and all(self._right.get(name, 0) >= BEFORE for name in dict.fromkeys(names)):
            some = np.flatnonzero(known).tolist()
            bars = bar_time[known].tolist()
            self._newest.update(zip((names[i] for i in some), bars, strict=True))
            return
        for i in np.flatnonzero(known).tolist():
            name = names[i]
            bar = int(bar_time[i])
            if self._right.get(name, 0) < BEFORE:
                self._begin(name, right=bool(right[i]))
            elif wrong:
                before = self._newest.get(name, bar)
                sender = _Row(name, row + i, bar, bar - before, features[i])
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
        shifts = self._shifts(sent.bar % self._period, sent.features[self._columns])
        if bool(_summer(np.array([sent.bar]))[0]) not in self._seasons:
            shifts = [shift for shift in shifts if abs(shift) != _HOUR]
        run = self._runs.get(scope)
        first = run is None or run.rows < _BEGINNING
        begun = self._begun(sent, shifts, rings) if first else set()
        if run is not None and rings.continuous(sent.name, run.since):
            begun |= set(shifts)
        for each in (scope, together):
            self._differ(each, sent, scope[1], shifts, begun)

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

    def _matches(self, sent: FloatArray, expected: FloatArray) -> BoolArray:
        right: BoolArray = np.all(
            np.abs(sent - expected) <= 2 * self._slack[self._columns], axis=-1
        )
        return right

    def _shifts(self, moment: int, sent: FloatArray) -> list[int]:
        """Return by how much earlier the times are that have these columns; later is negative."""
        others = self._moments[self._matches(sent[None], self._table)]
        half = self._period // 2
        earlier = (moment - others + half) % self._period - half
        return [int(shift) for shift in earlier]

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
        fault = self._fault(scope, shift, row, run.rows)
        make_room(self._told)
        self._told[scope] = fault
        self._found.append(fault)

    def _fault(self, scope: Scope, shift: int, row: int, rows: int) -> ClientFault:
        client, symbol = scope
        bars = shift / self._interval
        ago = f"{_span(abs(shift))} {'earlier' if shift > 0 else 'later'}"
        whole = abs(bars - round(bars)) < 1e-6
        late = "late" if shift > 0 else "early"
        count = f"{abs(bars):.0f} bar{'' if abs(round(bars)) == 1 else 's'} {late}"
        feed = f"the feed is {count}, or its clock is" if whole else "its clock is"
        columns = self.columns
        cause = (
            f"Columns {', '.join(columns)}{who(client, symbol)} are those of {ago} than the bar "
            f"that each row says it is about: {feed} in another time zone."
        )
        relations = [Relation(RelationKind.SAME)] * len(self._names)
        for j in self._columns.tolist():
            relations[j] = Relation(RelationKind.LATE, rows=round(bars))
        return ClientFault(
            symbol=symbol,
            client=client,
            row=row,
            since_rows=rows,
            kind="phase",
            cause=cause,
            columns=columns,
            finding=finding("bar_phase", bars, rows, cause, columns),
            difference=Difference(self._names, tuple(relations), rows),
        )


def _summer(bar_time: IntArray) -> BoolArray:
    """Whether clocks may be set to summer time then: March 8 to November 7."""
    days = bar_time.astype("datetime64[us]").astype("datetime64[D]")
    day = (days - days.astype("datetime64[Y]")).astype(np.int64)
    summer: BoolArray = (day >= _SPRING) & (day < _AUTUMN)
    return summer


def _span(microseconds: int) -> str:
    """Return a span of time in its largest whole unit."""
    for unit, size in (("day", _DAY), ("hour", _HOUR), ("minute", 60_000_000)):
        if microseconds % size == 0:
            count = microseconds // size
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{microseconds / 1e6:g} seconds"
