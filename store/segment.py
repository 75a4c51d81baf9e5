"""Segments: sealed rows as Parquet, under names that say when, how many and what.

A segment lies in ``<table>/<model>/date=YYYY-MM-DD/hour=HH/`` and is called
``<first>-<last>-<rows>-<digest>.parquet``: its first and last time in microseconds since 1970 UTC,
the number of rows, and a digest of the file. So a reader knows from a listing alone what it needs,
and no damaged byte is ever parsed. The bytes depend on the rows alone, so the same rows, sealed
again after a crash, get the same name.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from plumbline.bundle.digest import name_of
from plumbline.bundle.moment import moment_of
from plumbline.store.errors import StoreError
from plumbline.store.table import Cells, LogTable

HOUR = 3_600_000_000
"""Microseconds."""

_NAME = re.compile(r"(\d{16})-(\d{16})-(\d+)-([0-9a-f]{16})\.parquet")
_REPEATED = ("symbol", "group", "client", "model", "version", "output", "label")


@dataclass(frozen=True, order=True)
class SegmentName:
    """What a segment's name says; sorts by first time."""

    first: int
    last: int
    rows: int
    digest: str
    folder: str

    @property
    def key(self) -> str:
        """Where it lies in the store."""
        name = f"{self.first:016d}-{self.last:016d}-{self.rows}-{self.digest}.parquet"
        return f"{self.folder}/{name}"

    def verify(self, data: bytes) -> bytes:
        """Return a file's bytes if they are the ones it was named for.

        Raises
        ------
        StoreError
            If they are not; names the file.
        """
        if digest_of(data) != self.digest:
            raise StoreError(
                f"{self.key}: truncated or changed: its digest is not that of its name"
            )
        return data

    @classmethod
    def parse(cls, key: str) -> Self | None:
        """Read a key; None for an object that is no segment."""
        folder, _, name = key.rpartition("/")
        match = _NAME.fullmatch(name)
        if match is None:
            return None
        first, last, rows, digest = match.groups()
        return cls(int(first), int(last), int(rows), digest, folder)


@dataclass(frozen=True)
class Segment:
    """Rows of one table, model and hour, ready to be written."""

    name: SegmentName
    data: bytes


def hour_folder(table: str, model: str, time: int) -> str:
    """Return the folder of the hour that holds a time, microseconds since 1970 UTC."""
    moment = moment_of(time)
    return f"{table}/{model}/date={moment:%Y-%m-%d}/hour={moment:%H}"


def build_segments(table: LogTable, rows: Sequence[Cells]) -> list[Segment]:
    """Turn rows into segments, one per model and hour; the same rows give the same segments.

    Parameters
    ----------
    table
        What kind of rows.
    rows
        In column order; any order of time, models mixed.
    """
    clock, model = table.position(table.clock), table.position("model")

    def place(row: Cells) -> tuple[str, int]:
        return str(row[model]), _integer(row[clock]) // HOUR

    segments = []
    for (owner, hour), group in groupby(sorted(rows, key=place), key=place):
        mine = list(group)
        times = [_integer(row[clock]) for row in mine]
        data = write_segment(table, mine)
        folder = hour_folder(table.name, owner, hour * HOUR)
        name = SegmentName(min(times), max(times), len(mine), digest_of(data), folder)
        segments.append(Segment(name, data))
    return segments


def digest_of(data: bytes) -> str:
    """Return what a segment's name says of its bytes: 16 hexadecimal digits of their SHA-256."""
    return name_of(data)


def write_segment(table: LogTable, rows: Sequence[Cells]) -> bytes:
    """Return rows as Parquet, zstd; the bytes depend on the rows alone, for one Parquet library."""
    columns = [
        _column(field.type, [row[i] for row in rows]) for i, field in enumerate(table.schema)
    ]
    buffer = io.BytesIO()
    pq.write_table(
        pa.table(columns, schema=table.schema),
        buffer,
        compression="zstd",
        use_dictionary=[name for name in _REPEATED if name in table.columns],
    )
    return buffer.getvalue()


def read_segment(
    table: LogTable, name: SegmentName, data: bytes, *, columns: Sequence[str] | None = None
) -> pa.Table:
    """Return a segment as Arrow columns, all of them or some.

    Raises
    ------
    StoreError
        If it is damaged, or no segment of this table; names the file.
    """
    name.verify(data)
    wanted = list(columns or table.columns)
    try:
        read = pq.ParquetFile(pa.BufferReader(data)).read(columns=wanted, use_threads=False)
        return read.select(wanted).cast(pa.schema([table.schema.field(each) for each in wanted]))
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise StoreError(f"{name.key}: not a {table.name} segment: {error}") from error


def _column(kind: pa.DataType, values: list[object]) -> pa.Array:
    if pa.types.is_timestamp(kind):
        return pa.array(values, pa.int64()).cast(kind)
    if not pa.types.is_list(kind):
        return pa.array(values, kind)
    packed = [value if isinstance(value, bytes) else b"" for value in values]
    lengths = np.fromiter((len(value) // 4 for value in packed), np.int32, len(packed))
    offsets = np.concatenate(([0], np.cumsum(lengths, dtype=np.int64))).astype(np.int32)
    absent = np.fromiter((value is None for value in values), np.bool_, len(values))
    floats = pa.array(np.frombuffer(b"".join(packed), np.float32))
    mask = pa.array(absent) if absent.any() else None
    return pa.ListArray.from_arrays(pa.array(offsets), floats, mask=mask)


def _integer(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"expected a time in microseconds, found {value!r}")
    return value
