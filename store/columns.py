"""Rows of the prediction log as Arrow columns: chosen, ordered, thinned, turned into arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plumbline.bundle.array import AnyArray, FloatArray, IntArray
from plumbline.store.errors import StoreError
from plumbline.store.prediction import PREDICTIONS, PredictionBatch

BATCH_COLUMNS = tuple(n for n in PREDICTIONS.columns if n not in ("model", "latency_us"))


def timestamp(time: int) -> pa.Scalar:
    """Return microseconds since 1970 UTC as Arrow compares them."""
    return pa.scalar(time, pa.timestamp("us", tz="UTC"))


def concat(tables: Sequence[pa.Table], columns: Sequence[str]) -> pa.Table:
    """Join tables of these columns; an empty one if there are none."""
    empty = PREDICTIONS.schema.empty_table().select(columns)
    return pa.concat_tables([empty, *tables]).combine_chunks()


def within(rows: pa.Table, start: int | None, end: int | None, version: str | None) -> pa.Table:
    """Return the rows with ``start <= time < end`` of a version; None for any."""
    if start is not None:
        rows = rows.filter(pc.greater_equal(rows.column("time"), timestamp(start)))
    if end is not None:
        rows = rows.filter(pc.less(rows.column("time"), timestamp(end)))
    if version is not None:
        rows = rows.filter(pc.equal(rows.column("version"), version))
    return rows


def in_order(rows: pa.Table) -> pa.Table:
    """Sort by time, then by prediction id."""
    return rows.sort_by([("time", "ascending"), ("prediction_id", "ascending")])


def once(rows: pa.Table) -> pa.Table:
    """Keep the first row of each prediction id."""
    ids = rows.column("prediction_id").to_numpy()
    _, first = np.unique(ids.astype(str), return_index=True)
    return rows if len(first) == len(rows) else rows.take(np.sort(first))


def evenly(rows: pa.Table, limit: int) -> pa.Table:
    """Keep at most ``limit`` rows, at even distances; of cross-sections whole ones, one or more."""
    if len(rows) <= limit:
        return rows
    group = np.asarray(rows.column("group").to_pylist(), str)
    if (group == "").any():
        return rows.take(np.linspace(0, len(rows) - 1, limit).round().astype(np.int64))
    _, first, code, counts = np.unique(
        group, return_index=True, return_inverse=True, return_counts=True
    )
    wanted = min(len(first), max(1, limit // int(counts.max())))
    order = np.argsort(first)
    chosen = order[np.linspace(0, len(first) - 1, wanted).round().astype(np.int64)]
    return rows.take(np.flatnonzero(np.isin(code, chosen)))


def same_shape(rows: pa.Table) -> pa.ChunkedArray:
    """Return whether each row has as many features and raw numbers as the first one."""
    same = pc.is_valid(rows.column("time"))
    for name in ("features", "raw", "centre"):
        lengths = pc.list_value_length(rows.column(name))
        same = pc.and_(same, pc.equal(lengths, lengths[0])) if len(rows) else same
    return same


def matrix(column: pa.ChunkedArray, name: str) -> FloatArray:
    """Return lists of one length as ``(n, length) float32``.

    Raises
    ------
    StoreError
        If they differ in length.
    """
    lengths = np.unique(pc.list_value_length(column).to_numpy())
    if len(lengths) > 1:
        raise StoreError(
            f"the rows differ in their number of {name} ({lengths.tolist()}): "
            "they are of several versions; ask for one"
        )
    width = int(lengths[0]) if len(lengths) else 0
    flat = pc.list_flatten(column).to_numpy()
    return np.ascontiguousarray(flat, np.float32).reshape(len(column), width)


def batch_of(rows: pa.Table) -> PredictionBatch:
    """Turn rows of `BATCH_COLUMNS` into arrays; `StoreError` if they differ in shape."""
    return PredictionBatch(
        prediction_id=_texts(rows, "prediction_id"),
        time=_times(rows, "time"),
        bar_time=_times(rows, "bar_time"),
        seq=rows.column("seq").to_numpy(),
        symbol=_texts(rows, "symbol"),
        group=_texts(rows, "group"),
        client=_texts(rows, "client"),
        version=_texts(rows, "version"),
        action=pc.fill_null(rows.column("action"), -1).to_numpy(),
        position=rows.column("position").to_numpy(),
        size=rows.column("size").to_numpy(),
        raw=matrix(rows.column("raw"), "raw numbers"),
        centre=matrix(rows.column("centre"), "centres"),
        epistemic=matrix(rows.column("epistemic"), "epistemic numbers"),
        features=matrix(rows.column("features"), "features"),
        inputs_hash=_texts(rows, "inputs_hash"),
        window=np.array([*rows.column("window").to_pylist(), None], object)[:-1],
    )


def _texts(rows: pa.Table, name: str) -> AnyArray:
    return np.asarray(rows.column(name).to_numpy(), dtype=str)


def _times(rows: pa.Table, name: str) -> IntArray:
    """Return microseconds since 1970 UTC, -1 where there is none."""
    times: IntArray = pc.fill_null(rows.column(name).cast(pa.int64()), -1).to_numpy()
    return times
