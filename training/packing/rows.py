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
from plumbline.training.bar_value import Column, read_times
from plumbline.training.bars import NO_TIME
from plumbline.training.errors import DataError

TIME, SYMBOL, GROUP = "time", "symbol", "group"
LABEL = "label"
"""Column of the truth of an output that has no column of its own name."""
_ALONE = "default"
_NUMBER = re.compile(r"-?\d+")
_TELLING, _NEARLY = 4, 0.1
"""Distances that are enough to tell an interval by, and the share it may be off."""
_DELIMITERS = ",;\t"
_INDEX = re.compile(r"__index_level_\d+__")
"""Columns that pandas adds to a Parquet file; no model takes them."""


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
        """Refuse rows that mostly do not stand this far apart, if there are enough to tell.

        Raises
        ------
        DataError
            With how far apart they stand.
        """
        apart = np.diff(self.time)[self.symbol[1:] == self.symbol[:-1]]
        if len(apart) < _TELLING:
            return
        values, counts = np.unique(apart, return_counts=True)
        usual = int(values[counts.argmax()])
        if abs(usual - seconds * SECOND) > _NEARLY * seconds * SECOND:
            raise DataError(
                f"{self.source}: rows of a symbol stand {usual / SECOND:g} s apart, and the "
                f"description says bar_interval = {seconds} s: correct it, or give every bar's row"
            )

    def has(self, name: str) -> bool:
        """Whether there is such a column."""
        return name in self.table.column_names

    def truth(self, name: str, choices: Sequence[str]) -> FloatArray:
        """Return what came true, ``(n,)``, NaN where the file does not say.

        A choice is given by name or, where no choice is called like a number, by its place.

        Raises
        ------
        DataError
            If a value is none of the choices, or no number where there are none.
        """
        column = self.table[name]
        if not choices:
            if not (_is_number(column.type) or pa.types.is_null(column.type)):
                raise DataError(
                    f"labels: column {name!r} holds {column.type}, expected what came true as "
                    "numbers: a value and a score have no choices"
                )
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
    if path.suffix not in {".parquet", ".csv"}:
        raise DataError(f"{path}: expected a .csv or a .parquet file")
    if not path.is_file():
        raise DataError(f"cannot read {path}: there is no such file")
    try:
        if path.suffix == ".csv":
            return pyarrow.csv.read_csv(path, parse_options=_delimited(path))
        table = pyarrow.parquet.read_table(path)
    except (OSError, UnicodeDecodeError, pa.ArrowInvalid) as error:
        raise DataError(f"cannot read {path}: {error}") from error
    return table.drop_columns([name for name in table.column_names if _INDEX.fullmatch(name)])


def _delimited(path: Path) -> pyarrow.csv.ParseOptions:
    """Tell what stands between cells by what the header has most of."""
    with path.open(encoding="utf-8") as file:
        header = file.readline()
    return pyarrow.csv.ParseOptions(delimiter=max(_DELIMITERS, key=header.count))


def _joined(table: pa.Table, labels: pa.Table, reference: str, source: str) -> pa.Table:
    """Put what came of the rows beside them, by moment and symbol, however each writes its times.

    Raises
    ------
    DataError
        If there is nothing to join by, or not one row of either is of the other.
    """
    for where, each in ((reference, table), (source, labels)):
        _require_time(each, where)
    keys = [name for name in (TIME, SYMBOL) if name in table.column_names]
    if missing := [name for name in keys if name not in labels.column_names]:
        raise DataError(f"{source}: expected the columns {keys} to join by, missing {missing}")
    table, labels = _timed(table, reference), _timed(labels, source)
    if SYMBOL in keys:
        table, labels = (_named(each) for each in (table, labels))
    both = table.select(keys).join(labels.select(keys), keys=keys, join_type="inner")
    if not len(both):
        raise DataError(
            f"{source}: none of its {len(labels)} rows has {' and '.join(keys)} of a row of "
            f"{reference}: the first there is {_first(table, keys)}, here {_first(labels, keys)}; "
            "give the time and the symbol of the row that was asked about, not of its outcome"
        )
    twice = [n for n in labels.column_names if n in table.column_names and n not in keys]
    kept = table.drop_columns(twice)
    joined = kept.join(labels, keys=keys, join_type="left outer")
    if len(joined) > len(table):
        raise DataError(
            f"{source}: some {' and '.join(keys)} stands in two rows: leave one of each"
        )
    return joined.select([*kept.column_names, *_others(labels, keys)])


def _timed(table: pa.Table, source: str) -> pa.Table:
    place = table.column_names.index(TIME)
    return table.set_column(place, TIME, pa.array(_moments(table, source), pa.timestamp("us")))


def _named(table: pa.Table) -> pa.Table:
    place = table.column_names.index(SYMBOL)
    return table.set_column(place, SYMBOL, table[SYMBOL].cast(pa.string()))


def _first(table: pa.Table, keys: Sequence[str]) -> str:
    return " ".join(str(table[name][0].as_py()) for name in reversed(keys)) if len(table) else "-"


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
    _require_time(table, path)
    if not len(table):
        raise DataError(f"{path}: there is no row under the header, expected rows of {TIME!r}")
    time = _moments(table, path)
    symbol = np.full(len(table), _ALONE)
    if SYMBOL in table.column_names:
        names = table[SYMBOL].cast(pa.string())
        if names.null_count:
            row = int(np.asarray(names.is_null().to_numpy()).argmax())
            raise DataError(
                f"{path}: {moment_of(int(time[row])).isoformat()} has no symbol: give every row "
                "one, or leave the column out"
            )
        symbol = np.asarray(names.to_pylist(), dtype=str)
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


def _plain(value: object) -> str:
    """Return a label as text; whole numbers alike, whatever their type."""
    return str(value).removesuffix(".0")


def _require_time(table: pa.Table, source: str) -> None:
    if TIME not in table.column_names:
        raise DataError(
            f"{source}: expected a column {TIME!r}, the open time of each row's bar, found "
            f"{table.column_names}"
        )


def _moments(table: pa.Table, source: str) -> IntArray:
    """Read the times of rows, in any form that bars may have; each row must have one."""
    header = int(source.endswith(".csv"))
    column = Column(source, TIME, table[TIME], np.arange(len(table)) + 1 + header, can_format=False)
    time = read_times(column, None)
    if (missing := time == NO_TIME).any():
        row = column.rows[int(missing.argmax())]
        raise DataError(f"{source}: row {row} has no time: give it one, or leave the row out")
    return time


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind)
    )
