"""Whether a window is what the stream of last steps makes it.

A client keeps its own history. What it logs of a row is the window's last step and a hash over all
of it, so the window can be made again from the last steps of the rows before, and its hash says
whether that is what the model was shown. What matches is known to the bit and can be replayed; what
does not says little by itself: a row may have been dropped, a bar revised, the history computed
anew with other rounding.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from plumbline.bundle.array import BoolArray, FloatArray
from plumbline.bundle.manifest import Manifest
from plumbline.bundle.reference import ReferenceProfile
from plumbline.diagnosis.exact.comparison import Scale
from plumbline.monitoring.watching.audit.accusation import Heard
from plumbline.monitoring.watching.audit.accusations import Accusations
from plumbline.monitoring.watching.audit.client_fault import ClientFault
from plumbline.monitoring.watching.audit.lateness import EVERY as CLOCK_EVERY
from plumbline.monitoring.watching.audit.lateness import Lateness
from plumbline.monitoring.watching.audit.layout import Layout
from plumbline.monitoring.watching.audit.look import ENOUGH, Calendar, Newest, Past, look
from plumbline.monitoring.watching.audit.maker import SELDOM, At, Made, Maker, Tried
from plumbline.monitoring.watching.audit.phase import Phase
from plumbline.monitoring.watching.audit.rebuilt import Rebuilt
from plumbline.monitoring.watching.audit.rings import AT_ONCE, Placed, Rings
from plumbline.monitoring.watching.audit.scope import Covers, everybody, scope_of
from plumbline.monitoring.watching.audit.suspicion import CLOSE_ROWS, Suspicion
from plumbline.monitoring.watching.audit.time_table import TimeTable
from plumbline.store.prediction import PredictionBatch

EVERY = 4
"""Of a symbol that gives no reason to look closer, every so many rows are made again."""

_HOPELESS = 16
_FEW = 8
_FROZEN = 1e-3


class History:
    """The windows of one version's rows, made again from the log, and what is wrong with them.

    Parameters
    ----------
    manifest, reference
        Of the version.
    every
        See `EVERY`.
    """

    def __init__(
        self, manifest: Manifest, reference: ReferenceProfile, *, every: int = EVERY
    ) -> None:
        self._layout = Layout(manifest)
        self._interval = manifest.bar_interval_seconds * 1_000_000
        self._crosswise = manifest.unit == "cross_section"
        self._every = every
        self._scale = Scale.of(reference.features)
        self._calendar = Calendar(reference, self._interval)
        self._rings = Rings(self._layout.steps, self._layout.width)
        names, table = manifest.feature_names, TimeTable.learn(reference, self._scale)
        self._accusations = Accusations(
            names, self._scale, self._layout.steps, table.columns.tolist()
        )
        self._suspicions: dict[int, Suspicion] = {}
        self._maker = Maker(self._rings, self._layout, self._calendar)
        self._lateness = Lateness(self._interval)
        self._phase = Phase(names, reference, self._scale, self._interval, table)
        self._rows = self._row = 0
        self._curious_until = 0

    def take(self, batch: PredictionBatch) -> Rebuilt:
        """Take rows, oldest in the log first, retries too; return the windows known of them.

        Late, disordered and repeated rows are put where their bar belongs; a row that does not say
        its bar comes after the row before it. What is found does not depend on how rows are cut
        into batches.
        """
        made = Made()
        names = _names(batch)
        for begin in range(0, len(batch), AT_ONCE):
            stop = min(begin + AT_ONCE, len(batch))
            slot = self._rings.slots(names[begin:stop])
            start, some = begin, AT_ONCE
            while start < stop:
                rows = slice(start, min(start + some, stop))
                own = slot[start - begin : rows.stop - begin]
                placed = self._rings.add(own, batch.bar_time[rows], batch.features[rows])
                self._look(batch, start, placed, made)
                taken = slice(start, start + len(placed))
                sent = batch.bar_time[taken], batch.features[taken]
                self._phase.take(*sent, names[taken], self._rings, row=start)
                start += len(placed)
                some = max(2 * len(placed), _FEW)  # where the log is in disorder, cuts are near
        return made.rebuilt(self._layout)

    def findings(self) -> list[ClientFault]:
        """Return the faults that the rows just taken have confirmed; each is told once."""
        return [each for part in self._parts for each in part.findings()]

    def recovered(self) -> list[ClientFault]:
        """Return the faults that the rows just taken have ended, with the row at which they did."""
        return [each for part in self._parts for each in part.recovered()]

    def accept(self, covers: Covers = everybody) -> None:
        """Forget what is wrong of some: somebody has accepted their inputs as they are now."""
        for part in self._parts:
            part.forget(covers)
        for slot, suspicion in list(self._suspicions.items()):
            if covers(scope_of(suspicion.symbol)):
                del self._suspicions[slot]

    @property
    def _parts(self) -> tuple[Accusations, Lateness, Phase]:
        return self._accusations, self._lateness, self._phase

    def _look(self, batch: PredictionBatch, start: int, placed: Placed, made: Made) -> None:
        """Make the windows of some rows again: those that are due, doubted, or logged whole."""
        rows = slice(start, start + len(placed))
        whole = np.array([data is not None for data in batch.window[rows].tolist()])
        due = self._due(placed)
        ask = due | whole | (np.arange(len(placed)) + self._rows < self._curious_until)
        if self._suspicions:
            ask |= np.isin(placed.slot, list(self._suspicions))
        todo: deque[int] = deque(np.flatnonzero(ask).tolist())
        heard = 0
        is_due, is_whole = due.tolist(), whole.tolist()
        while todo:
            i = todo.popleft()
            heard = self._hear(batch, start, heard, i, placed)
            at = At.of(self._rings, placed, i)
            doubted, curious = self._doubted(at), self._curious_until
            self._row = self._rows + i
            asked = doubted or is_whole[i] or self._row < curious
            if not asked and not (is_due[i] and not self._hopeless(at)):
                continue
            self._make(batch, start + i, at, made)
            if self._curious_until > curious or (not doubted and self._doubted(at)):
                more = placed.slot[i + 1 :] == at.slot
                more[: max(self._curious_until - self._row - 1, 0)] = True
                todo = deque(sorted({*todo, *(np.flatnonzero(more) + i + 1).tolist()}))
        self._hear(batch, start, heard, len(placed), placed)
        self._clock(batch, start, placed)
        self._rows += len(placed)

    def _hear(self, batch: PredictionBatch, start: int, heard: int, i: int, placed: Placed) -> int:
        """Show the accusations the last steps from ``heard`` up to row ``i``, if they listen."""
        if i > heard and self._accusations.listening:
            rows = slice(start + heard, start + i)
            names = [self._rings.names[slot] for slot in placed.slot[heard:i].tolist()]
            told = Heard(rows.start, names, batch.bar_time[rows], batch.features[rows])
            self._accusations.hear(told)
        return i

    def _clock(self, batch: PredictionBatch, start: int, placed: Placed) -> None:
        """Hold some rows against the clock: those due, and all of a symbol that is watched."""
        due = placed.number % CLOCK_EVERY < 2
        rows = slice(start, start + len(placed))
        columns = (placed.slot, placed.number, batch.time[rows], batch.bar_time[rows])
        slots, numbers, times, bars = (column.tolist() for column in columns)
        names, watched = self._rings.names, self._lateness.watched
        begin = 0
        while begin < len(placed):
            every = bool(watched)
            todo = range(begin, len(placed)) if every else np.flatnonzero(due[begin:]) + begin
            begin = len(placed)
            for i in map(int, todo):
                scope = scope_of(names[slots[i]])
                if due[i] or scope in watched:
                    self._lateness.take(scope, start + i, numbers[i], times[i], bars[i])
                if bool(watched) is not every:
                    begin = i + 1
                    break

    def _due(self, placed: Placed) -> BoolArray:
        """Tell which rows to make again; of a cross-section all or none."""
        if self._crosswise:
            due: BoolArray = placed.key // self._interval % self._every == 0
        else:
            due = placed.number % self._every == 0
        return due

    def _hopeless(self, at: At) -> bool:
        """Whether a symbol whose windows are never what the log makes them is left for now."""
        if self._crosswise or self._accusations.open or self._rings.missed[at.slot] < _HOPELESS:
            return False
        return at.number % (SELDOM // EVERY * self._every) != 0

    def _doubted(self, at: At) -> bool:
        if not self._suspicions:
            return False
        suspicion = self._suspicions.get(at.slot)
        return suspicion is not None and at.number - suspicion.since < CLOSE_ROWS

    def _make(self, batch: PredictionBatch, row: int, at: At, made: Made) -> None:
        """Make one window again, and draw conclusions from whether it is what was sent."""
        data: bytes | None = batch.window[row]
        told = data if data is not None else str(batch.inputs_hash[row])
        likely = self._rings.missed[at.slot] == 0 or at.number % SELDOM < self._every
        tried = self._maker.make(at, batch.features[row], told, steps_first=likely)
        made.add(row, data, tried)
        rebuildable = self._layout.rebuildable
        if tried.right is not None and tried.right is tried.ring:
            self._agree(at, row, whole=data is not None)
        elif at.place >= 0 and (rebuildable or (data is not None and self._layout.comparable)):
            self._doubt(at, row, data, tried)

    def _agree(self, at: At, row: int, *, whole: bool) -> None:
        """Take note that a window is what the log makes it."""
        rings, slot = self._rings, at.slot
        rings.missed[slot] = 0
        if at.own:
            rings.verified[slot] = max(rings.verified[slot], at.place + rings.moved[slot])
        self._suspicions.pop(slot, None)
        self._maker.forget(at)
        bar = int(rings.bars[slot, at.place])
        self._accusations.agree(at.symbol, bar, row, at.number, window=whole)

    def _doubt(self, at: At, row: int, data: bytes | None, tried: Tried) -> None:
        """Draw conclusions from a window that is not what the log makes it."""
        slot = at.slot
        continued = tried.right is not None
        if tried.ring is not None:
            self._rings.doubted[slot] = at.place + self._rings.moved[slot]
            self._rings.missed[slot] = 1 if continued else self._rings.missed[slot] + 1
        if tried.parted:
            self._maker.part(at)
        suspicion = self._suspicion(at)
        if data is not None:
            suspicion = self._compare(at, row, data, suspicion, continued=continued)
        else:
            suspicion = self._count(at, row, suspicion, continued=continued, parted=tried.parted)
        window = data is not None
        if suspicion and self._accusations.judge(suspicion, row, at.number, window=window):
            self._suspicions.pop(slot, None)

    def _count(
        self, at: At, row: int, suspicion: Suspicion | None, *, continued: bool, parted: bool
    ) -> Suspicion | None:
        """Count a wrong hash, if it says something; returns what then speaks against the symbol."""
        if continued:
            self._accusations.follow(at.symbol, int(self._rings.bars[at.slot, at.place]), row)
        if suspicion is None and continued:
            self._rings.fitted[at.slot] = 1
            return None
        if not self._telling(at):
            return suspicion
        if suspicion is None and self._usable(at.slot):
            suspicion = self._suspect(at)
        if suspicion is not None:
            suspicion.misses += 1
            suspicion.continued += continued
            suspicion.parted += parted
        if not continued:
            self._accusations.disagree(at.symbol, int(self._rings.bars[at.slot, at.place]))
        return suspicion

    def _suspicion(self, at: At) -> Suspicion | None:
        found = self._suspicions.get(at.slot)
        return found if found is not None and found.symbol == at.symbol else None

    def _usable(self, slot: int) -> bool:
        """Whether hashes of the symbol have fitted."""
        return bool(self._rings.verified[slot] >= 0 or self._rings.fitted[slot])

    def _suspect(self, at: At) -> Suspicion:
        usable = self._usable(at.slot)
        suspicion = Suspicion(at.symbol, at.number, usable, self._layout.steps)
        self._suspicions[at.slot] = suspicion
        return suspicion

    def _compare(
        self,
        at: At,
        row: int,
        data: bytes,
        suspicion: Suspicion | None,
        *,
        continued: bool,
    ) -> Suspicion | None:
        """Look at a whole window step by step; returns what then speaks against the symbol."""
        window = self._layout.window(data)
        rings, slot = self._rings, at.slot
        self._maker.know(at, window)
        known = slice(max(at.place + 1 - self._layout.steps, 0), at.place)
        few = at.place < min(ENOUGH, self._layout.steps - 1)
        if few or (continued and suspicion is None) or self._stands_still(at, window[-1]):
            return suspicion
        past = Past(rings.bars[slot, known].copy(), self._moving(slot, known))
        if np.isfinite(past.values[:, 0]).sum() < min(ENOUGH, self._layout.steps - 1):
            return suspicion
        newest = Newest(at.symbol, at.number, int(rings.bars[slot, at.place]), window)
        seen = look(newest, past, self._calendar, self._scale)
        back = self._accusations.go_back(seen, row)
        if seen.off.any() and self._accusations.settled(at.symbol, seen.newest_off):
            return suspicion
        if seen.sound:
            rings.verified[slot] = -1
            rings.fitted[slot] = continued
            self._suspicions.pop(slot, None)
            self._accusations.agree(at.symbol, seen.bar, row, at.number, window=True)
            return None
        if suspicion is not None and suspicion.refuted(seen):
            self._suspicions.pop(slot, None)
            suspicion = None
        if seen.wrong:
            self._accusations.see(seen)
            if self._row >= self._curious_until:
                self._curious_until = self._row + 2 * len(rings) + AT_ONCE
        if seen.wrong or (suspicion is not None and seen.traced):
            suspicion = suspicion or self._suspect(at)
            suspicion.add(seen)
            suspicion.misses += self._telling(at)
            suspicion.continued += continued
            if not back:
                self._accusations.disagree(at.symbol, seen.bar)
        return suspicion

    def _telling(self, at: At) -> bool:
        """Whether a wrong hash says something: no row can be missing, and nothing is known yet."""
        rings, slot = self._rings, at.slot
        first = at.place + 1 - self._layout.steps
        if first < 0 or self._accusations.settled(at.symbol, int(rings.bars[slot, first])):
            return False
        verified = int(rings.verified[slot] - rings.moved[slot])
        if rings.verified[slot] >= 0 and verified < at.place:
            first = max(first, verified)
        bars = rings.bars[slot, first : at.place + 1]
        moves = np.isfinite(self._moving(slot, slice(first, at.place + 1))).all()
        return bool(moves) and self._calendar.unbroken(bars)

    def _moving(self, slot: int, known: slice) -> FloatArray:
        """Return the steps of some bars, NaN where one is the step before: the feed stood still.

        What was sent then is known to be wrong, and whoever sends the bars as they were is right.
        """
        values = self._rings.values[slot, known].copy()
        begin = max(known.start - 1, 0)
        held = self._rings.values[slot, begin : known.stop]
        same = (np.abs(held[1:] - held[:-1]) <= _FROZEN * self._scale.deviation).all(axis=1)
        values[len(values) - len(same) :][same] = np.nan
        return values

    def _stands_still(self, at: At, sent: FloatArray) -> bool:
        """Whether a row is the one before it: a frozen feed is told by others."""
        if at.place < 1:
            return False
        before = self._rings.values[at.slot, at.place - 1]
        return bool((np.abs(sent - before) <= _FROZEN * self._scale.deviation).all())


def _names(batch: PredictionBatch) -> list[str]:
    """Return whose history each row belongs to: of a symbol, and of a client where it is known."""
    symbols: list[str] = batch.symbol.tolist()
    if not (batch.client != "").any():
        return symbols
    pairs = zip(batch.client.tolist(), symbols, strict=True)
    return [f"{client}\0{symbol}" for client, symbol in pairs]
