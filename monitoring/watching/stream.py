"""The rows of one version as they are judged: in order, retries left out, the past at hand."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import chain

import numpy as np

from plumbline.bundle.array import AnyArray, BoolArray, IntArray
from plumbline.bundle.moment import moment_of
from plumbline.bundle.outputs import Outputs
from plumbline.bundle.reading import Reading, joined
from plumbline.diagnosis.sample import Sample
from plumbline.store.prediction import PredictionBatch

MOST_RETRIES = 30
"""A bar asked about more often than this in a row is no retry: the feed stands still."""

SYMBOLS = 4_096
"""Of which the last question is remembered; those longest silent are forgotten."""

MOST_LATE = 30
"""More rows than this in a row that are older than the newest are no stragglers: time went back."""

_KEPT_EACH = 64
"""Rows at hand for each symbol, on average."""

_MOST_KEPT = 20_000

_MOST_ASIDE = 2_000
"""Rows of held symbols that are older than those at hand."""


@dataclass(frozen=True)
class Accepted:
    """What came of a batch.

    Attributes
    ----------
    own
        Rows of the version.
    ordered
        Those of them that are no retries and no stragglers: each asks about a newer bar than its
        symbol's last.
    place : (n,) int64
        For each row of the version, how many ordered rows there are up to and with it.
    """

    own: PredictionBatch
    ordered: PredictionBatch
    place: IntArray


@dataclass
class _Asked:
    """The last question about a symbol."""

    bar: int
    inputs: str
    retries: int = 0
    late: int = 0


@dataclass
class _Piece:
    """Some consecutive rows, and which of them may be held against the model."""

    first: int
    rows: PredictionBatch
    readings: dict[str, Reading]
    sound: BoolArray


class Stream:
    """Rows of one version, oldest first, numbered from 0, as its heads read them.

    Parameters
    ----------
    version
        Rows of other versions are left out.
    outputs
        Of the version.
    kept
        How many of the newest rows stay at hand, at least.
    """

    def __init__(self, version: str, outputs: Outputs, kept: int) -> None:
        self.version = version
        self.outputs = outputs
        self.rows = 0
        self._kept = kept
        self._asked: OrderedDict[str, _Asked] = OrderedDict()
        self._pieces: deque[_Piece] = deque()
        self._aside: deque[_Piece] = deque()
        self._held: frozenset[str] = frozenset()

    def hold(self, symbols: Collection[str]) -> None:
        """Set rows of these symbols aside when they are let go, until none are named.

        Of a thousand symbols few rows each are at hand; of the one in question they are collected.
        """
        self._held = frozenset(symbols)
        if not self._held:
            self._aside.clear()

    def accept(self, batch: PredictionBatch) -> Accepted:
        """Take the rows of this version.

        A retry asks about the same bar of the same symbol, with the same inputs, as the row before
        it; a straggler about an older bar. Rows that do not say which bar they are about are never
        taken for either. A batch holds cross-sections whole, since ranks are read within it.
        """
        own = np.asarray(batch.version) == self.version
        if not own.all():
            batch = batch.take(own)
        news = self._sort_out(batch)
        ordered = batch if news.all() else batch.take(news)
        if len(ordered):
            readings = self.outputs.restore(ordered.centre, ordered.epistemic, ordered.group)
            self._pieces.append(_Piece(self.rows, ordered, readings, np.zeros(len(ordered), bool)))
            self.rows += len(ordered)
            self._drop()
        return Accepted(batch, ordered, np.cumsum(news))

    def newest_piece(self) -> Sample:
        """Return the rows last accepted."""
        piece = self._pieces[-1]
        return self._sample(piece.rows, piece.readings)

    def symbols(self, start: int, stop: int) -> AnyArray:
        """Return whose the rows last accepted are, from place to place."""
        return self._pieces[-1].rows.symbol[start:stop]

    def mark_sound(self, start: int, stop: int, sound: BoolArray) -> None:
        """Say which of the rows last accepted, from place to place, are sound."""
        self._pieces[-1].sound[start:stop] = sound

    def forget_sound(self) -> None:
        """Hold none of the rows at hand against the model any more."""
        for piece in chain(self._pieces, self._aside):
            piece.sound[:] = False

    def sound(self, most: int, until: int, symbols: Collection[str] = ()) -> Sample | None:
        """Return the newest sound rows before a number, of some symbols or of all."""
        return self._newest(most, until, symbols, sound=True)

    def newest(self, most: int, until: int, symbols: Collection[str] = ()) -> Sample | None:
        """Return the newest rows before a number, sound or not; None if there are none."""
        return self._newest(most, until, symbols, sound=False)

    def prediction_id(self, row: int) -> str:
        """Return the id of the row with this number, which must be at hand."""
        piece = next(each for each in reversed(self._pieces) if each.first <= row)
        return str(piece.rows.prediction_id[row - piece.first])

    def answered(self, back: int, until: int, symbols: Collection[str] = ()) -> datetime | None:
        """Return when a row was answered, counted back from the one before a number, which is 1.

        Of some symbols, or of all; None if it is not at hand.
        """
        for piece in chain(reversed(self._pieces), reversed(self._aside)) if back > 0 else ():
            rows = piece.rows.take(slice(0, max(until - piece.first, 0)))
            times = rows.time[np.isin(rows.symbol, list(symbols))] if symbols else rows.time
            if back <= len(times):
                return moment_of(int(times[-back]))
            back -= len(times)
        return None

    def _newest(
        self, most: int, until: int, symbols: Collection[str], *, sound: bool
    ) -> Sample | None:
        found: list[tuple[PredictionBatch, dict[str, Reading]]] = []
        missing = most
        for piece in chain(reversed(self._pieces), reversed(self._aside)):
            if missing <= 0:
                break
            wanted = piece.sound.copy() if sound else np.ones(len(piece.rows), bool)
            wanted[max(until - piece.first, 0) :] = False
            if symbols:
                wanted &= np.isin(piece.rows.symbol, list(symbols))
            places = np.flatnonzero(wanted)[-missing:]
            if len(places):
                missing -= len(places)
                readings = {name: each.take(places) for name, each in piece.readings.items()}
                found.append((piece.rows.take(places), readings))
        if not found:
            return None
        rows = joined_rows([each for each, _ in reversed(found)])
        readings = {
            name: joined([each[name] for _, each in reversed(found)]) for name in self.outputs.names
        }
        return self._sample(rows, readings)

    def _sample(self, rows: PredictionBatch, readings: dict[str, Reading]) -> Sample:
        return Sample(
            readings=readings,
            action=rows.action if self.outputs.policy.actions else None,
            features=rows.features,
            group=rows.group,
            bar_time=rows.bar_time,
            symbol=rows.symbol,
            inputs_hash=rows.inputs_hash,
        )

    def _sort_out(self, batch: PredictionBatch) -> BoolArray:
        """Tell which rows are neither retries nor stragglers: ``(n,) bool``."""
        news = np.ones(len(batch), bool)
        asked = self._asked
        if self._goes_on(batch):
            return news
        columns = (batch.symbol.tolist(), batch.bar_time.tolist(), batch.inputs_hash.tolist())
        for i, (symbol, bar, inputs) in enumerate(zip(*columns, strict=True)):
            last = asked.get(symbol)
            if last is None:
                if len(asked) >= SYMBOLS:
                    asked.popitem(last=False)
                asked[symbol] = _Asked(bar, inputs)
                continue
            asked.move_to_end(symbol)
            if 0 <= bar == last.bar and inputs == last.inputs:
                last.retries += 1
                news[i] = last.retries > MOST_RETRIES
            elif 0 <= bar < last.bar and last.late < MOST_LATE:
                last.late += 1
                news[i] = False
            else:
                last.bar, last.inputs, last.retries, last.late = bar, inputs, 0, 0
        return news

    def _goes_on(self, batch: PredictionBatch) -> bool:
        """Take rows of one known symbol, each about a newer bar, if they are that."""
        if len(batch) == 0 or not (batch.symbol == batch.symbol[0]).all():
            return False
        last, bars = self._asked.get(str(batch.symbol[0])), batch.bar_time
        if last is None or not 0 <= last.bar < bars[0] or not (bars[1:] > bars[:-1]).all():
            return False
        self._asked.move_to_end(str(batch.symbol[0]))
        last.bar, last.inputs = int(bars[-1]), str(batch.inputs_hash[-1])
        last.retries = last.late = 0
        return True

    def _drop(self) -> None:
        """Let go of the oldest pieces, as far as enough rows stay at hand.

        The piece before the newest stays: its last row is the present one until the next is judged.
        """
        kept = min(max(self._kept, _KEPT_EACH * len(self._asked)), _MOST_KEPT)
        while len(self._pieces) > 2 and self.rows - self._pieces[1].first >= kept:
            self._set_aside(self._pieces.popleft())

    def _set_aside(self, piece: _Piece) -> None:
        """Keep what a piece has of the held symbols."""
        if not self._held:
            return
        places = np.flatnonzero(np.isin(piece.rows.symbol, list(self._held)))
        if len(places) == 0:
            return
        readings = {name: each.take(places) for name, each in piece.readings.items()}
        rows = piece.rows.take(places)
        self._aside.append(_Piece(piece.first, rows, readings, piece.sound[places]))
        while sum(len(each.rows) for each in self._aside) > _MOST_ASIDE:
            self._aside.popleft()


def joined_rows(batches: list[PredictionBatch]) -> PredictionBatch:
    """Return batches one after the other."""
    if len(batches) == 1:
        return batches[0]
    columns: dict[str, AnyArray] = {
        each.name: np.concatenate([getattr(batch, each.name) for batch in batches])
        for each in fields(PredictionBatch)
    }
    return PredictionBatch(**columns)


def whole_groups(batch: PredictionBatch, size: int) -> Iterator[PredictionBatch]:
    """Cut a batch into pieces of about ``size`` rows, no cross-section in two of them."""
    group = np.asarray(batch.group)
    begins = np.append(True, (group[1:] != group[:-1]) | (group[1:] == ""))
    borders: IntArray = np.append(np.flatnonzero(begins), len(batch))
    start = 0
    while start < len(batch):
        stop = int(borders[np.searchsorted(borders, min(start + size, len(batch)))])
        yield batch.take(slice(start, stop))
        start = stop
