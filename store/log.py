"""The prediction log as its readers see it: rows in time order, each prediction once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plumbline.bundle.moment import microseconds
from plumbline.store.columns import (
    BATCH_COLUMNS,
    batch_of,
    concat,
    evenly,
    in_order,
    once,
    same_shape,
    timestamp,
    within,
)
from plumbline.store.index import LOOKBACK, SegmentIndex
from plumbline.store.objects import Objects
from plumbline.store.prediction import PREDICTIONS, PredictionBatch
from plumbline.store.segment import SegmentName, read_segment
from plumbline.store.table import LogTable

MAX_ROWS = 100_000
_REMEMBERED = 200_000
_FILES_AT_ONCE = 64


class PredictionLog:
    """The prediction log of one model.

    A prediction may lie in it twice: a client that retries with its own id is answered twice under
    the same prediction id. Readers keep the first.

    Parameters
    ----------
    objects, model
        The store, and whose log.
    since
        `read_new` starts here; by default with everything within ``lookback``.
    settle_seconds
        `read_new` holds back rows younger than this, so that the rows of several workers, each
        shipped in segments of its own, come out in one order. More than the interval of shipping.
    lookback
        How late a segment may come and still be seen by `read_new`.
    clock
        Seconds since 1970; the same clock as the service's.
    table
        `SHADOWS` for what challengers would have answered to the same requests.
    """

    def __init__(
        self,
        objects: Objects,
        model: str,
        *,
        since: datetime | None = None,
        settle_seconds: float = 2.0,
        lookback: timedelta = LOOKBACK,
        clock: Callable[[], float] = time.time,
        table: LogTable = PREDICTIONS,
    ) -> None:
        self._objects = objects
        self._table = table
        self._index = SegmentIndex(objects, table, model, lookback=lookback)
        self._since = 0 if since is None else microseconds(since)
        self._settle = int(settle_seconds * 1e6)
        self._clock = clock
        self._waiting = concat([], BATCH_COLUMNS)
        self._seen: dict[str, None] = {}

    def read_new(self, max_rows: int = MAX_ROWS) -> PredictionBatch:
        """Return the settled rows not returned before, oldest first; call until it is empty.

        All rows of one call have the same number of features and of raw numbers: when the model
        changes shape, the others follow with the next call. Rows that come late come out late.

        Parameters
        ----------
        max_rows
            About how many rows to read at a time; segments are read whole.

        Raises
        ------
        StoreError
            If the store failed: nothing is lost, call again. If a segment is damaged: it is named
            once, and skipped from then on.
        """
        now = int(self._clock() * 1e6)
        found = self._index.new(now)
        self._index.know(name for name in found if name.last < self._since)
        unread = [name for name in found if name.last >= self._since]
        chosen = _first(unread, max_rows - len(self._waiting))
        for start in range(0, len(chosen), _FILES_AT_ONCE):
            self._take_in(chosen[start : start + _FILES_AT_ONCE])
        horizon = now - self._settle
        if len(chosen) < len(unread):
            horizon = min(horizon, unread[len(chosen)].first)
        return self._give_out(horizon)

    def _take_in(self, names: Sequence[SegmentName]) -> None:
        """Read segments and add their rows to those waiting, but for repeats."""
        contents = self._objects.read_many([name.key for name in names])
        tables = []
        try:
            for name, data in zip(names, contents, strict=True):
                self._index.know([name])  # a damaged one too: it is reported once
                tables.append(read_segment(self._table, name, data, columns=BATCH_COLUMNS))
        finally:
            rows = within(concat(tables, BATCH_COLUMNS), self._since, None, None)
            self._waiting = concat([self._waiting, self._unseen(in_order(rows))], BATCH_COLUMNS)

    def _unseen(self, rows: pa.Table) -> pa.Table:
        fresh = []
        for prediction_id in rows.column("prediction_id").to_pylist():
            fresh.append(prediction_id not in self._seen)
            self._seen[prediction_id] = None
        while len(self._seen) > _REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return rows.filter(pa.array(fresh, pa.bool_()))

    def _give_out(self, horizon: int) -> PredictionBatch:
        """Return the waiting rows before a time, as far as they have one shape."""
        waiting = in_order(self._waiting)
        settled = pc.less(waiting.column("time"), timestamp(horizon))
        ready = pc.and_(settled, same_shape(waiting))
        self._waiting = waiting.filter(pc.invert(ready)).combine_chunks()
        return batch_of(waiting.filter(ready))

    def read(
        self,
        start: datetime | None = None,
        end: datetime | None = None,
        version: str | None = None,
        limit: int | None = None,
    ) -> PredictionBatch:
        """Return the rows with ``start <= time < end``, oldest first.

        Parameters
        ----------
        start, end, version
            Which rows; None for all.
        limit
            At most this many, the newest.

        Raises
        ------
        StoreError
            If the store failed, a segment is damaged, or the rows differ in their number of
            features or raw numbers: ask for one version then.
        """
        first, last = _bounds(start, end)
        names = self._index.between(first, last)
        names.sort(key=lambda name: name.last, reverse=True)
        rows = concat([], BATCH_COLUMNS)
        while names and not _complete(rows, limit, names[0].last):
            missing = None if limit is None else limit - len(rows)
            some = _first(names, missing)[:_FILES_AT_ONCE]
            names = names[len(some) :]
            tables = self._read_all(some, BATCH_COLUMNS)
            rows = concat(
                [rows, *(within(table, first, last, version) for table in tables)], BATCH_COLUMNS
            )
        rows = once(in_order(rows))
        return batch_of(rows if limit is None else rows.slice(max(len(rows) - limit, 0)))

    def windows(
        self,
        limit: int,
        start: datetime | None = None,
        end: datetime | None = None,
        version: str | None = None,
    ) -> tuple[PredictionBatch, list[bytes]]:
        """Return rows whose whole input window was logged, spread evenly over the time asked for.

        Parameters
        ----------
        limit
            At most this many. Segments are visited in an order that covers the time more and more
            densely, and no more of them than it takes.
        start, end, version
            Which rows; None for all.

        Returns
        -------
        PredictionBatch, list of bytes
            The rows, oldest first, and the inputs of each, for `bundle.inputs.parse_inputs`.

        Raises
        ------
        StoreError
            As `read`.
        """
        first, last = _bounds(start, end)
        names = _spread(self._index.between(first, last))
        found: list[pa.Table] = []
        while names and sum(map(len, found)) < 2 * limit:
            some, names = names[:_FILES_AT_ONCE], names[_FILES_AT_ONCE:]
            for table in self._read_all(some, BATCH_COLUMNS):
                whole = table.filter(pc.is_valid(table.column("window")))
                found.append(evenly(within(whole, first, last, version), limit))
        rows = batch_of(evenly(once(in_order(concat(found, BATCH_COLUMNS))), limit))
        return rows, rows.window.tolist()

    def _read_all(self, names: Sequence[SegmentName], columns: Sequence[str]) -> list[pa.Table]:
        contents = self._objects.read_many([name.key for name in names])
        return [
            read_segment(self._table, name, data, columns=columns)
            for name, data in zip(names, contents, strict=True)
        ]


def _bounds(start: datetime | None, end: datetime | None) -> tuple[int | None, int | None]:
    return (
        None if start is None else microseconds(start),
        None if end is None else microseconds(end),
    )


def _first(names: list[SegmentName], rows: int | None) -> list[SegmentName]:
    """Return the fewest leading segments that hold so many rows; one at least."""
    if rows is None:
        return names
    total = np.cumsum([name.rows for name in names])
    return names[: int(np.searchsorted(total, max(rows, 1))) + 1]


def _complete(rows: pa.Table, limit: int | None, next_time: int) -> bool:
    """Whether the newest ``limit`` rows are there, all others being no newer than ``next_time``."""
    if limit is None or len(rows) < limit:
        return False
    times = np.sort(rows.column("time").cast(pa.int64()).to_numpy())
    return limit == 0 or bool(times[-limit] >= next_time)


def _spread(names: list[SegmentName]) -> list[SegmentName]:
    """Reorder so that every beginning of the list is spread evenly: by bit-reversed position."""
    bits = max(len(names) - 1, 1).bit_length()
    places = sorted(range(len(names)), key=lambda place: f"{place:0{bits}b}"[::-1])
    return [names[place] for place in places]
