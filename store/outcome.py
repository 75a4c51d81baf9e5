"""What became of a prediction: realised choices and values, late and repeated arrivals allowed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plumbline.bundle.array import AnyArray, BoolArray, FloatArray, IntArray
from plumbline.bundle.moment import microseconds
from plumbline.store.errors import ConflictError
from plumbline.store.index import SegmentIndex
from plumbline.store.objects import Objects
from plumbline.store.prediction import PredictionBatch
from plumbline.store.segment import SegmentName, build_segments, read_segment
from plumbline.store.table import LogTable

SKEW = 60_000_000
"""Microseconds by which two clocks may differ: those of two workers, or a client's."""

MAX_ROWS = 50_000
_FILES_AT_ONCE = 64

OUTCOME_SCHEMA = pa.schema(
    [
        pa.field("prediction_id", pa.string(), nullable=False),
        pa.field("known_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("received", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("output", pa.string(), nullable=False),
        pa.field("label", pa.string()),
        pa.field("value", pa.float64()),
    ]
)


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """What turned out, for one prediction.

    Attributes
    ----------
    prediction_id
        Of the prediction; an outcome may arrive before the prediction's own row is sealed.
    known_at
        When it was known, by the client's account; the latest wins. Microseconds since 1970 UTC.
    received
        When the service took it, by the service's clock; decides ties and the segment's folder.
    output
        Of which output; each has an outcome of its own.
    label
        Name of the choice that came true, if the client said.
    value
        What the value turned out to be (a return, over the output's horizon), if the client said.
    """

    prediction_id: str
    known_at: int
    received: int
    model: str
    output: str
    label: str | None
    value: float | None


OUTCOMES = LogTable("outcomes", OutcomeRow, OUTCOME_SCHEMA, clock="received")


@dataclass(frozen=True)
class OutcomeBatch:
    """Outcomes as columns.

    Attributes
    ----------
    prediction_id, output : (n,) str
        `OutcomeLog.read` sorts by output, then by prediction, and gives each pair once, as it was
        decided; `OutcomeLog.read_new` gives them as they arrived.
    known_at, received : (n,) int64
        Microseconds since 1970 UTC.
    label : (n,) str
        Name of the choice, empty where the client gave none.
    value : (n,) float64
        NaN where the client gave none.
    from_future
        Rows that were left out, because they say to have been known after they arrived.
    """

    prediction_id: AnyArray
    output: AnyArray
    known_at: IntArray
    received: IntArray
    label: AnyArray
    value: FloatArray
    from_future: int = 0

    def __len__(self) -> int:
        return len(self.known_at)

    def take(self, rows: IntArray | BoolArray | slice) -> OutcomeBatch:
        """Return the rows at these positions, or where this mask is true."""
        return replace(self, **{name: getattr(self, name)[rows] for name in _COLUMNS})


_COLUMNS = ("prediction_id", "output", "known_at", "received", "label", "value")


@dataclass(frozen=True)
class JoinedOutcomes:
    """What became of each row of a batch of predictions, in its order.

    Attributes
    ----------
    known : (n,) bool
        Whether any outcome has arrived.
    label : (n,) str
        Name of the choice, empty where there is none.
    value : (n,) float64
        NaN where there is none.
    """

    known: BoolArray
    label: AnyArray
    value: FloatArray


class OutcomeLog:
    """The outcomes of one model's predictions; the last by event time wins.

    One that says it was known later than it arrived is left out, whoever wrote it: it would win for
    ever. The service refuses it at the door.

    Parameters
    ----------
    objects, model
        The store, and whose outcomes.
    since
        `read_new` starts with what arrived then; by default with what arrived in the last 48 hours.
    clock
        Seconds since 1970; the same clock as the service's.
    """

    def __init__(
        self,
        objects: Objects,
        model: str,
        *,
        since: datetime | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._objects = objects
        self._index = SegmentIndex(objects, OUTCOMES, model)
        self._since = None if since is None else microseconds(since)
        self._clock = clock
        self._unread: list[SegmentName] | None = None
        self._tables: list[pa.Table] = []

    def read_new(self, max_rows: int = MAX_ROWS) -> OutcomeBatch:
        """Return the outcomes not returned before, in the order in which they arrived.

        Nothing is decided yet: a prediction may come again, with a correction. What arrived
        together may come apart, since every worker ships segments of its own.

        Parameters
        ----------
        max_rows
            About how many rows to read at a time; segments are read whole. Call until it is empty.

        Raises
        ------
        StoreError
            If the store failed: nothing is lost, call again. If a segment is damaged: it is named
            once, and skipped from then on.
        """
        if self._unread is None:
            self._unread = [] if self._since is None else self._index.between(self._since)
            self._index.know(self._unread)
        found = self._index.new(int(self._clock() * 1e6))
        self._index.know(found)
        first = self._since or 0
        self._unread = sorted((*self._unread, *(name for name in found if name.last >= first)))
        while self._unread and sum(map(len, self._tables)) < max_rows:
            some = self._unread[:_FILES_AT_ONCE]
            contents = self._objects.read_many([name.key for name in some])
            for name, data in zip(some, contents, strict=True):
                self._unread = self._unread[1:]  # a damaged one too: it is reported once
                self._tables.append(read_segment(OUTCOMES, name, data))
        read, self._tables = pa.concat_tables([OUTCOME_SCHEMA.empty_table(), *self._tables]), []
        if self._since is not None:
            read = read.filter(pa.array(_integers(read, "received") >= self._since))
        return _batch(read, by_arrival)

    def read(self, start: datetime | None = None, end: datetime | None = None) -> OutcomeBatch:
        """Return the outcomes *received* in ``start <= received < end``.

        Raises
        ------
        StoreError
            If the store failed or a segment is damaged.
        """
        first = None if start is None else microseconds(start)
        last = None if end is None else microseconds(end)
        return self._read(first, last)

    def join(self, predictions: PredictionBatch, output: str) -> JoinedOutcomes:
        """Find what became of one output of these predictions, by id.

        Raises
        ------
        StoreError
            If the store failed or a segment is damaged.
        """
        n = len(predictions)
        joined = JoinedOutcomes(np.zeros(n, np.bool_), np.full(n, ""), np.full(n, np.nan))
        if n == 0:
            return joined
        outcomes = self._read(int(predictions.time.min()) - SKEW, None)
        own = outcomes.output == output
        if not own.any():
            return joined
        ids, labels, values = outcomes.prediction_id[own], outcomes.label[own], outcomes.value[own]
        place = np.minimum(np.searchsorted(ids, predictions.prediction_id), len(ids) - 1)
        known = ids[place] == predictions.prediction_id
        return JoinedOutcomes(
            known=known,
            label=np.where(known, labels[place], ""),
            value=np.where(known, values[place], np.nan),
        )

    def _read(self, first: int | None, last: int | None) -> OutcomeBatch:
        names = self._index.between(first, last)
        contents = self._objects.read_many([name.key for name in names])
        tables = [OUTCOME_SCHEMA.empty_table()]
        for name, data in zip(names, contents, strict=True):
            tables.append(read_segment(OUTCOMES, name, data))
        rows = pa.concat_tables(tables)
        received = _integers(rows, "received")
        wanted = np.ones(len(rows), np.bool_)
        if first is not None:
            wanted &= received >= first
        if last is not None:
            wanted &= received < last
        return _batch(rows.filter(pa.array(wanted)), latest)


def write_outcomes(objects: Objects, rows: Sequence[OutcomeRow]) -> None:
    """Put outcomes into the store at once, without a service and its spool.

    Raises
    ------
    StoreError
        If the store failed; some may be there by then, and may be written again.
    """
    for segment in build_segments(OUTCOMES, OUTCOMES.cells(rows)):
        try:
            objects.create(segment.name.key, segment.data)
        except ConflictError:
            continue  # the same rows make the same name: they are there already


def by_arrival(batch: OutcomeBatch) -> IntArray:
    """Return the order in which they arrived; those of one moment as they were known."""
    order: IntArray = np.lexsort((batch.known_at, batch.received))
    return order


def latest(batch: OutcomeBatch) -> IntArray:
    """Return the places of the rows that decide: of each prediction and output the last known.

    Of those known at the same time it is the last to arrive.
    """
    ids, outputs = batch.prediction_id, batch.output
    order = np.lexsort((batch.received, batch.known_at, ids, outputs))
    next_id, next_output = ids[order][1:], outputs[order][1:]
    differs = (next_id != ids[order][:-1]) | (next_output != outputs[order][:-1])
    return np.asarray(order[np.append(differs, True)[: len(order)]])


def _batch(rows: pa.Table, chosen: Callable[[OutcomeBatch], IntArray]) -> OutcomeBatch:
    """Return rows as columns, those left out that were known after they arrived."""
    known_at, received = _integers(rows, "known_at"), _integers(rows, "received")
    batch = OutcomeBatch(
        prediction_id=_texts(rows, "prediction_id"),
        output=_texts(rows, "output"),
        known_at=known_at,
        received=received,
        label=_texts(rows, "label"),
        value=pc.fill_null(rows.column("value"), np.nan).to_numpy(),
        from_future=int((known_at > received + SKEW).sum()),
    )
    possible = batch.take(known_at <= received + SKEW)
    return possible.take(chosen(possible))


def _texts(rows: pa.Table, name: str) -> AnyArray:
    return np.asarray(pc.fill_null(rows.column(name), "").to_numpy(), dtype=str)


def _integers(rows: pa.Table, name: str) -> IntArray:
    times: IntArray = rows.column(name).cast(pa.int64()).to_numpy()
    return times
