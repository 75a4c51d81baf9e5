"""The rows a packed model is measured on: its own columns, and what came true."""

from __future__ import annotations

import re
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
LABEL = "label"
"""Column of the truth of an output that has no column of its own name."""
_ALONE = "default"
_NEARLY = 0.1
"""How far a distance of bars may be off: where clocks change, a day has 23 hours."""
_TELLING = 4
_NUMBER = re.compile(r"-?\d+")


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

    def refuse_another_interval(self, seconds: int) -> None:
        """Refuse rows that cannot be bars of this length.

        Raises
        ------
        DataError
            If most are nearer to each other than that, or none is as near.
        """
        own = self.symbol[1:] == self.symbol[:-1]
        steps = np.diff(self.time)[own] / SECOND
        if len(steps) < _TELLING:
            return
        usual, least = float(np.median(steps)), float(steps.min())
        if usual < seconds * (1 - _NEARLY) or least > seconds * (1 + _NEARLY):
            raise DataError(
                f"{self.source}: rows of a symbol are {usual:g} s apart, {least:g} s at least, and "
                f"bar_interval says {seconds} s: correct whichever is wrong"
            )

    def place(self, row: int) -> str:
        """Say whose row this is, and of when."""
        return f"{self.symbol[row]} at {moment_of(int(self.time[row])).isoformat()}"

    def has(self, name: str) -> bool:
        """Whether there is such a column."""
        return name in self.table.column_names

    def truth(self, name: str, choices: Sequence[str]) -> FloatArray:
        """Return what came true, ``(n,)``, NaN where the file does not say.

        A choice is given by name or, where no choice is called like a number, by its place.

        Raises
        ------
        DataError
            If a value is none of the choices.
        """
        column = self.table[name]
        if not choices:
            return np.asarray(pc.fill_null(column.cast(pa.float64()), np.nan).to_numpy())
        named = {_plain(choice): float(place) for place, choice in enumerate(choices)}
        places: dict[str, float] = dict.fromkeys(("None", "nan", ""), np.nan)
        if not any(_NUMBER.fullmatch(name) for name in named):
            places |= {str(place): float(place) for place in range(len(choices))}
            places["-1"] = np.nan
        places |= named
        texts = [_plain(value) for value in column.to_pylist()]
        if unknown := sorted(set(texts) - set(places)):
            raise DataError(
                f"labels: column {name!r} holds {unknown[:5]}, expected {list(choices)}"
                + (" or their places from 0" if "0" in places and "0" not in named else "")
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
    if GROUP in table.column_names and GROUP in truths.column_names:
        truths = truths.drop_columns([GROUP])
    return sorted_rows(
        _joined(table, truths, str(reference), str(labels)), str(reference), labels=others
    )


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


def _joined(table: pa.Table, labels: pa.Table, reference: str, source: str) -> pa.Table:
    """Put beside each row what came of it; times are compared, not how they are written.

    Raises
    ------
    DataError
        If the labels lack a column to join by, or are of none of the rows.
    """
    keys = [name for name in (TIME, SYMBOL) if name in table.column_names]
    missing = [name for name in keys if name not in labels.column_names]
    if missing:
        raise DataError(f"{source}: expected the columns {keys} to join by, missing {missing}")
    table, labels = _timed(table, reference), _timed(labels, source)
    if SYMBOL in keys:
        table, labels = _with_text(table, SYMBOL), _with_text(labels, SYMBOL)
    twice = [n for n in labels.column_names if n in table.column_names and n not in keys]
    table = table.drop_columns(twice)
    if not len(table.join(labels, keys=keys, join_type="left semi")):
        raise DataError(
            f"{source}: none of its {len(labels)} rows has {' and '.join(keys)} of a row of "
            f"{reference}: give the outcomes of the same rows"
        )
    joined = table.join(labels, keys=keys, join_type="left outer")
    return joined.select([*table.column_names, *_others(labels, keys)])


def _timed(table: pa.Table, source: str) -> pa.Table:
    """Return a table with its times in microseconds, however they are written."""
    if TIME not in table.column_names:
        raise DataError(f"{source}: expected a column {TIME!r}, found {table.column_names}")
    times = pa.array(_microseconds(table[TIME], source), pa.timestamp("us"))
    return table.set_column(table.column_names.index(TIME), TIME, times)


def _with_text(table: pa.Table, name: str) -> pa.Table:
    place = table.column_names.index(name)
    return table.set_column(place, name, table[name].cast(pa.string()))


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


def _plain(value: object) -> str:
    """Return a label as text; whole numbers alike, whatever their type."""
    return str(value).removesuffix(".0")


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind)
    )
