"""Replay: the logged answer must be what this version says of the logged input.

A frozen model cannot collapse by itself. Every fourth row of a symbol whose window is known to the
bit, and most rows whose window was logged whole, are answered again by the monitor's own session of
the graph. After the first other answer every row is looked at, until three of the newest forty
differ or do not. Of all rows, the logged centre, disagreement and decision must be what this
version's calibration and policy make of the logged raw numbers.

What is found wrong here is the artefact's fault, whatever the outputs look like; what is found
right is the model's own answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from plumbline.bundle.archive import Bundle
from plumbline.bundle.array import AnyArray, BoolArray, FloatArray, IntArray
from plumbline.diagnosis.exact.answers import Slack, differing, slack_of
from plumbline.monitoring.watching.audit.account import Account, Others
from plumbline.monitoring.watching.audit.answer_fault import AnswerFault, Checked, Cleared
from plumbline.monitoring.watching.audit.doubt import Doubt, Standing
from plumbline.monitoring.watching.audit.intact import Intact, examine
from plumbline.monitoring.watching.audit.naming import name_answer_fault, name_reading_fault
from plumbline.monitoring.watching.audit.pace import Pace
from plumbline.monitoring.watching.audit.probe import Probed, probe
from plumbline.monitoring.watching.audit.reading import ReadingCheck
from plumbline.monitoring.watching.audit.rebuilt import Rebuilt
from plumbline.monitoring.watching.audit.section import Sizes, requests, sections
from plumbline.monitoring.watching.audit.session import Graph
from plumbline.monitoring.watching.audit.trail import Trails
from plumbline.store.prediction import PredictionBatch

EVERY = 4
"""Of a symbol's rows one in so many is replayed; of whole cross-sections, one in half as many."""

CONFIRMED = 3
"""Wrong answers among the newest forty checked that make a fault."""

CONFIRMED_SECTIONS = 2
"""The same where a cross-section is asked about whole: each is many answers."""


@dataclass(frozen=True, slots=True)
class _Due:
    """A row to be replayed: its place, its number among its symbol's, and if all are looked at."""

    place: int
    number: int
    looking: bool


@dataclass(frozen=True)
class _Rows:
    """A batch, row by row: symbol, place among the known windows or -1, and if it was logged."""

    symbols: list[str]
    known: list[int]
    logged: list[bool]

    @classmethod
    def of(cls, batch: PredictionBatch, rebuilt: Rebuilt) -> _Rows:
        known = np.full(len(batch), -1, np.int64)
        some = np.flatnonzero(rebuilt.exact)
        known[rebuilt.rows[some]] = some
        logged = [window is not None for window in batch.window.tolist()]
        return cls(batch.symbol.tolist(), known.tolist(), logged)


@dataclass(frozen=True, slots=True)
class _Said:
    """What the graph says of a batch: ``raw (n, R)``, as far as ``known (n,)``."""

    known: BoolArray
    raw: FloatArray

    def put(self, places: list[int] | IntArray, raw: FloatArray) -> None:
        self.known[places] = True
        self.raw[places] = raw


class Replay:
    """Checks the logged answers of one version.

    Parameters
    ----------
    bundle
        The version.
    every
        Of a symbol's rows, one in so many is replayed if its window is known.
    others
        Asked once, when a fault has been confirmed: whose answers might they be?
    clock
        Seconds that never go back. A graph too slow for it is asked more seldom, see `Pace`.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        every: int = EVERY,
        others: Others | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._bundle = bundle
        self._pace = Pace(every, clock)
        self._graph = Graph(bundle)
        self._account = Account(bundle, self._graph, others)
        self._trails = Trails()
        self._answer = Doubt(self._trails, needed=CONFIRMED)
        self._reading = ReadingCheck(bundle)
        self._read = Doubt(Trails(), needed=CONFIRMED)
        self._since_section = 0
        self._sizes = Sizes()
        self._found: list[AnswerFault] = []
        self._named: list[AnswerFault] = []
        self._known: tuple[int, int] = (0, 0)

    @property
    def fault(self) -> str:
        """Why answers cannot be replayed here; empty while they can."""
        return self._graph.fault

    @property
    def symbols(self) -> int:
        """How many symbols are remembered."""
        return len(self._trails)

    @property
    def looking(self) -> bool:
        """Whether rows are looked at one by one: every window that can be made again is wanted."""
        return self._answer.looking > 0

    @cached_property
    def slack(self) -> Slack:
        """How far apart two raw numbers may lie and be the same."""
        golden, manifest = self._bundle.golden, self._bundle.manifest
        names = [spec.name for spec in manifest.outputs]
        own = np.concatenate([golden.outputs[name] for name in names], axis=1)
        return slack_of(manifest.tolerance, golden.units(names), own, self._bundle.reference.raw)

    @cached_property
    def examined(self) -> Intact:
        """How the graph answers its own reference windows; asked once."""
        return examine(self._bundle, self._graph, self.slack)

    @property
    def intact(self) -> bool | None:
        """Whether the graph gives its reference's answers; None where that cannot be told."""
        return self.examined.intact

    def probe(
        self, windows: Mapping[str, FloatArray], group: AnyArray | None = None
    ) -> dict[str, Probed] | None:
        """Measure by output how the model responds around these windows, see `probe.probe`."""
        return probe(self._bundle, self._graph, windows, group)

    def check(self, batch: PredictionBatch, rebuilt: Rebuilt) -> Checked:
        """Check rows of this version, oldest first, each once.

        Parameters
        ----------
        batch
            Retries and stragglers too; cross-sections whole.
        rebuilt
            The windows of its rows, as far as they are known.
        """
        before = (self._answer.standing, self._read.standing)
        rows = _Rows.of(batch, rebuilt)
        misread = self._note_reading(batch, rows.symbols)
        self._account.note(batch)
        said = _Said(np.zeros(len(batch), bool), np.zeros(batch.raw.shape, np.float32))
        if len(rebuilt) and self._graph.runs:
            every = self._pace.begin(len(batch))
            if self._graph.rowwise:
                self._check_rows(batch, rebuilt, rows, every, said)
            else:
                self._answer.needed = CONFIRMED_SECTIONS
                self._check_sections(batch, rebuilt, rows, max(1, every // 2), said)
        else:
            self._count(rows, range(len(batch)))
        places = np.flatnonzero(said.known)
        right = said.raw[places]
        wrong = self._wrong(batch.raw[places], right)
        if wrong.any():
            known = np.array(rows.known)[places[wrong]]
            self._account.keep_wrong(batch, rebuilt, known)
        self._found = self._name(before)
        if self._answer.end(rows.symbols):
            self._account.forget()
        self._read.end(rows.symbols)
        return Checked(places, wrong, right, misread)

    def faults(self) -> list[AnswerFault]:
        """Return the faults that the last check has confirmed."""
        return list(self._found)

    @property
    def at_fault(self) -> bool:
        """Whether a confirmed fault has not ended."""
        return self._answer.standing is not None or self._read.standing is not None

    @property
    def standing(self) -> list[AnswerFault]:
        """The faults that hold, named by all that was known a few checks ago at most."""
        known = (self._answer.progress, self._read.progress)
        if known != self._known:
            self._known, named = known, self._name((None, None))
            self._named = [replace(each, row=-1) for each in named]
        return list(self._named)

    def ask(self, windows: Mapping[str, FloatArray]) -> FloatArray | None:
        """Return what the graph says of any windows; None where it cannot be run here."""
        return self._graph.answer(windows)

    def cleared(self, symbol: str, rows: int) -> Cleared:
        """Say what is known of the newest rows of a symbol; the newest forty replays at most."""
        trail = self._trails.get(symbol)
        return Cleared(*(0, 0) if trail is None else trail.newest(rows))

    def _check_rows(
        self,
        batch: PredictionBatch,
        rebuilt: Rebuilt,
        rows: _Rows,
        every: int,
        said: _Said,
    ) -> None:
        """Replay the rows that are due; what is due changes with what is found."""
        self._account.keep(batch, rebuilt, np.flatnonzero(rebuilt.exact))
        start = 0
        while start < len(batch):
            due, undo = self._due(rows, start, every)
            places = [each.place for each in due]
            if not self._ask(rebuilt, rows, places, said):
                return
            stop = len(batch)
            wrong = self._wrong(batch.raw[places], said.raw[places])
            for each, differs in zip(due, wrong.tolist(), strict=True):
                check = (rows.symbols[each.place], each.number, differs)
                if self._answer.note(each.place, [check], looking=each.looking):
                    stop = each.place + 1
                    undo(stop)
                    self._answer.turn()
                    break
            start = stop

    def _due(self, rows: _Rows, start: int, every: int) -> tuple[list[_Due], Callable[[int], None]]:
        """Return the rows due from ``start`` on, and what takes back counting from a place on."""
        every = max(1, every // 2) if self._answer.standing else every
        looking = self._answer.looking
        symbols = rows.symbols[start:]
        by_symbol = {symbol: self._trails[symbol] for symbol in dict.fromkeys(symbols)}
        trails = [by_symbol[symbol] for symbol in symbols]
        due, before = [], []
        for place, trail in enumerate(trails, start):
            before.append((trail.since, trail.looking))
            trail.since += 1
            turn = looking > 0 or trail.looking > 0 or trail.since >= every
            logged = rows.logged[place] and 2 * trail.since >= every
            if rows.known[place] >= 0 and (turn or logged):
                due.append(_Due(place, trail.rows, looking > 0))
                trail.since = 0 if turn else trail.since
                looking = max(0, looking - 1)
                trail.looking = max(0, trail.looking - 1)
            trail.rows += 1
        self._answer.looking = looking

        def undo(stop: int) -> None:
            for i in range(len(trails) - 1, stop - start - 1, -1):
                trails[i].since, trails[i].looking = before[i]
                trails[i].rows -= 1

        return due, undo

    def _ask(self, rebuilt: Rebuilt, rows: _Rows, places: list[int], said: _Said) -> bool:
        """Ask the graph about rows it has not been asked about; false where it fails."""
        new = [place for place in places if not said.known[place]]
        if new:
            some = [rows.known[place] for place in new]
            began = self._pace.now()
            right = self._graph.answer({k: v[some] for k, v in rebuilt.windows.items()})
            self._pace.spend(began, len(new))
            if right is None:
                return False
            said.put(new, right)
        return True

    def _check_sections(
        self,
        batch: PredictionBatch,
        rebuilt: Rebuilt,
        rows: _Rows,
        every: int,
        said: _Said,
    ) -> None:
        """Replay the cross-sections that are due, each whole."""
        known = np.array(rows.known)
        for places, whole in sections(batch, known >= 0):
            numbers = self._count(rows, places.tolist())
            usual = self._sizes.usual(len(places))
            self._since_section += 1
            looking = self._answer.looking > 0
            logged = any(rows.logged[place] for place in places.tolist())
            if not whole or not (looking or logged or self._since_section >= every):
                continue
            self._since_section = 0
            self._answer.looking = max(0, self._answer.looking - 1)
            self._account.keep(batch, rebuilt, known[places])
            right = self._ask_section(batch, rebuilt, known, places)
            if right is None:
                return
            wrong = self._wrong(batch.raw[places], right)
            if wrong.any() and not usual:  # a part of it may never have been logged
                continue
            said.put(places, right)
            checks = [
                (rows.symbols[place], number, differs)
                for place, number, differs in zip(
                    places.tolist(), numbers, wrong.tolist(), strict=True
                )
            ]
            if self._answer.note(int(places[-1]), checks, looking=looking):
                self._answer.turn()

    def _count(self, rows: _Rows, places: Iterable[int]) -> list[int]:
        """Count rows, and return each one's number among its symbol's."""
        numbers = []
        for place in places:
            trail = self._trails[rows.symbols[place]]
            numbers.append(trail.rows)
            trail.rows += 1
        return numbers

    def _ask_section(
        self, batch: PredictionBatch, rebuilt: Rebuilt, known: IntArray, places: IntArray
    ) -> FloatArray | None:
        """Ask about a cross-section whole; if that differs, about what came at one time each."""
        began = self._pace.now()
        right = self._graph.answer({k: v[known[places]] for k, v in rebuilt.windows.items()})
        parts = requests(batch, places)
        if right is not None and len(parts) > 1 and self._wrong(batch.raw[places], right).any():
            said = [
                self._graph.answer({k: v[known[part]] for k, v in rebuilt.windows.items()})
                for part in parts
            ]
            found = [each for each in said if each is not None]
            order = np.argsort(np.concatenate(parts), kind="stable")
            apart_right = np.concatenate(found)[order] if len(found) == len(parts) else right
            if not self._wrong(batch.raw[places], apart_right).any():
                right = apart_right
        self._pace.spend(began, len(places))
        return right

    def _wrong(self, logged: FloatArray, right: FloatArray) -> BoolArray:
        """Tell which rows' answers differ: ``(m,)``."""
        return differing(logged, right, self.slack.wide)

    def _note_reading(self, batch: PredictionBatch, symbols: list[str]) -> IntArray:
        """Check how all rows were read."""
        misread = self._reading.check(batch)
        trails, wrong = self._read.trails, set(misread.tolist())
        if not wrong and self._read.standing is None:
            self._read.note_right(len(batch))
            return misread
        for place, symbol in enumerate(symbols):
            trail = trails[symbol]
            self._read.note(place, [(symbol, trail.rows, place in wrong)], looking=True)
            trail.rows += 1
        return misread

    def _name(self, but: tuple[Standing | None, Standing | None]) -> list[AnswerFault]:
        """Name the faults that hold, but those that held before."""
        found = []
        answer, read = self._answer.standing, self._read.standing
        if answer is not None and answer is not but[0]:
            found.append(name_answer_fault(self._bundle, self._answer, self._account, self.slack))
        if read is not None and read is not but[1]:
            found.append(name_reading_fault(self._bundle, self._read, self._reading, self._account))
        return found
