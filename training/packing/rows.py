"""The rows a packed model is measured on: its own columns, and what came true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.moment import SECOND, moment_of
from plumbline.training.errors import DataError

TIME, SYMBOL, GROUP = "time", "symbol", "group"
_ALONE = "default"


@dataclass(frozen=True)
class Rows:
    """Reference rows, those of one symbol consecutive, oldest first.

    Attributes
    ----------
    table
        As read and sorted.
    time : (n,) int64
        Microseconds since 1970 UTC.
    symbol : (n,) str
    group : (n,) int64
        Rows of one moment, or of one value of the column ``group``.
    labels
        Columns that came from a file of their own: no model is shown them.
    source
        What complaints call them.
    """

    table: pa.Table
    time: IntArray
    symbol: np.ndarray
    group: IntArray
    labels: frozenset[str] = frozenset()
    source: str = "reference"

    def __len__(self) -> int:
        return len(self.time)

    @property
    def names(self) -> tuple[str, ...]:
        """Columns that hold numbers, in the file's order, but time, symbol and group."""
        kept = {TIME, SYMBOL, GROUP, *self.labels}
        return tuple(
            field.name
            for field in self.table.schema
            if field.name not in kept and (_is_number(field.type))
        )

    def columns(self, names: Sequence[str]) -> FloatArray:
        """Return columns beside each other, ``(n, len(names)) float64``; ``time`` in seconds.

        Raises
        ------
        DataError
            If one is missing, is no number, or has a gap; names the row.
        """
        found = []
        for name in names:
            if name == TIME:
                found.append(self.time / SECOND)
                continue
            if name not in self.table.column_names:
                near = ", ".join(self.table.column_names)
                raise DataError(f"{self.source}: there is no column {name!r} among {near}")
            column = self.table[name]
            if not _is_number(column.type):
                raise DataError(
                    f"{self.source}: column {name!r} holds {column.type}, expected numbers"
                )
            values = pc.fill_null(column.cast(pa.float64()), np.nan).to_numpy()
            if not np.isfinite(values).all():
                row = int((~np.isfinite(values)).argmax())
                raise DataError(
                    f"{self.source}: column {name!r} is {values[row]} for {self.place(row)}: leave "
                    "rows out that the model would not be asked about"
                )
            found.append(values)
        return np.stack(found, axis=1)

    def place(self, row: int) -> str:
        """Say whose row this is, and of when."""
        return f"{self.symbol[row]} at {moment_of(int(self.time[row])).isoformat()}"

    def refuse_interval(self, seconds: int) -> None:
        """Refuse rows that mostly follow each other at another interval.

        Raises
        ------
        DataError
            Naming both.
        """
        within = self.symbol[1:] == self.symbol[:-1]
        steps, counts = np.unique(np.diff(self.time)[within], return_counts=True)
        if len(steps) and (usual := steps[counts.argmax()] / SECOND) != seconds:
            raise DataError(
                f"{self.source}: rows of a symbol are {usual:g} s apart, and bar_interval says "
                f"{seconds} s: give every row of the stream, or mend bar_interval"
            )

    def has(self, name: str) -> bool:
        """Whether there is such a column."""
        return name in self.table.column_names

    def truth(self, name: str, choices: Sequence[str]) -> FloatArray:
        """Return what came true, ``(n,)``, NaN where the file does not say.

        A choice is given by name or by place.

        Raises
        ------
        DataError
            If a value is none of the choices.
        """
        column = self.table[name]
        if not choices:
            return np.asarray(pc.fill_null(column.cast(pa.float64()), np.nan).to_numpy())
        places = {choice: float(place) for place, choice in enumerate(choices)}
        places |= {str(place): float(place) for place in range(len(choices))}
        places |= {"None": np.nan, "nan": np.nan, "": np.nan, "-1": np.nan}
        texts = [str(value).removesuffix(".0") for value in column.to_pylist()]
        if unknown := sorted(set(texts) - set(places)):
            raise DataError(
                f"labels: column {name!r} holds {unknown[:5]}, expected {list(choices)} or their "
                "places from 0"
            )
        return np.array([places[text] for text in texts])


def read_rows(reference: Path, labels: Path | None = None) -> Rows:
    """Read reference rows, and labels that lie in a file of their own.

    Parameters
    ----------
    reference
        CSV or Parquet with a column ``time`` (ISO 8601, or seconds, milliseconds, microseconds or
        nanoseconds since 1970), perhaps ``symbol`` and ``group``, and the model's columns.
    labels
        The same, with ``time``, ``symbol`` if the reference has it, and a column per output.

    Raises
    ------
    DataError
        If a file cannot be read, or a column is missing.
    """
    table = read_table(reference)
    if labels is None:
        return sorted_rows(table, str(reference))
    truths = read_table(labels)
    others = frozenset(truths.column_names) - {TIME, SYMBOL, GROUP}
    return sorted_rows(_joined(table, truths, str(labels)), str(reference), labels=others)


def read_table(path: Path) -> pa.Table:
    """Read a CSV or Parquet file as it is; raises `DataError` where that cannot be."""
    try:
        if path.suffix == ".parquet":
            return pyarrow.parquet.read_table(path)
        if path.suffix == ".csv":
            return pyarrow.csv.read_csv(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"cannot read {path}: {error}") from error
    raise DataError(f"{path}: expected a .csv or a .parquet file")


def _joined(table: pa.Table, labels: pa.Table, source: str) -> pa.Table:
    keys = [name for name in (TIME, SYMBOL) if name in table.column_names]
    missing = [name for name in keys if name not in labels.column_names]
    if missing:
        raise DataError(f"{source}: expected the columns {keys} to join by, missing {missing}")
    for name in keys:
        labels = labels.set_column(
            labels.column_names.index(name), name, labels[name].cast(table[name].type)
        )
    twice = [n for n in labels.column_names if n in table.column_names and n not in keys]
    joined = table.drop_columns(twice).join(labels, keys=keys, join_type="left outer")
    return joined.select([*table.drop_columns(twice).column_names, *_others(labels, keys)])


def _others(labels: pa.Table, keys: Sequence[str]) -> list[str]:
    return [name for name in labels.column_names if name not in keys]


def sorted_rows(
    table: pa.Table, path: str, *, labels: frozenset[str] = frozenset(), source: str = "reference"
) -> Rows:
    """Return the rows of a table, sorted.

    Parameters
    ----------
    table
        As `read_rows` describes it.
    path
        Where it was read, for complaints about its time.
    labels, source
        Of the rows.

    Raises
    ------
    DataError
        If there is no time, or a symbol has two rows of one.
    """
    if TIME not in table.column_names:
        raise DataError(f"{path}: expected a column {TIME!r}, found {table.column_names}")
    time = _microseconds(table[TIME], path)
    symbol = np.full(len(table), _ALONE)
    if SYMBOL in table.column_names:
        symbol = np.asarray(table[SYMBOL].cast(pa.string()).to_pylist(), dtype=str)
    order = np.lexsort((time, symbol))
    table, time, symbol = table.take(order), time[order], symbol[order]
    again = (symbol[1:] == symbol[:-1]) & (time[1:] == time[:-1])
    if again.any():
        row = int(again.argmax())
        raise DataError(
            f"{path}: {symbol[row]} has two rows of the time {moment_of(int(time[row]))}"
        )
    keys = table[GROUP].to_pylist() if GROUP in table.column_names else time
    group = np.unique(np.asarray(keys), return_inverse=True)[1]
    return Rows(table, time, symbol, group, labels, source)


def _microseconds(column: pa.ChunkedArray, source: str) -> IntArray:
    """Read times of any type; of numbers the unit is told by their size."""
    if column.null_count:
        raise DataError(f"{source}: column {TIME!r} is empty in {column.null_count} rows")
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = _moments(column, source)
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        micros = column.cast(pa.timestamp("us"), safe=False)
        return np.asarray(micros.cast(pa.int64()).to_numpy())
    if not _is_number(column.type):
        raise DataError(f"{source}: column {TIME!r} holds {column.type}, expected moments")
    numbers = column.to_numpy()
    size = float(np.median(np.abs(numbers)))
    for limit, factor in ((1e11, 1_000_000), (1e14, 1_000), (1e17, 1)):
        if size < limit:
            return np.asarray(np.round(numbers * factor), np.int64)
    return np.asarray(numbers // 1_000, np.int64)


def _moments(texts: pa.ChunkedArray, source: str) -> pa.ChunkedArray:
    """Read ISO 8601; where no text names its zone all are UTC."""
    try:
        return texts.cast(pa.timestamp("us", tz="UTC"))
    except pa.ArrowInvalid:
        pass
    try:
        return texts.cast(pa.timestamp("us"))
    except pa.ArrowInvalid as error:
        reason = str(error).partition(" as a scalar")[0]
        raise DataError(
            f"{source}: column {TIME!r}: {reason}: expected ISO 8601, with a zone in all or none"
        ) from error


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind)
    )
