"""Reading bars: a CSV or Parquet file, by path or store URL, or a data set known by name.

Reading does not judge: `training.data_check` counts defects and refuses what must not be used.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlparse

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.store.errors import StoreError
from plumbline.store.objects import Objects
from plumbline.training.bars import COLUMNS, Bars, as_microseconds
from plumbline.training.errors import DataError

TIME_NAMES = ("timestamp", "time", "datetime", "date", "open_time")
NO_TIME = np.iinfo(np.int64).min
"""Stands for a missing time, as it does in numpy; counted as a null by the check."""


@dataclass(frozen=True)
class Source:
    """Where bars lie and how to read them.

    Attributes
    ----------
    location
        A path or a URL; its suffix, ``.csv`` or ``.parquet``, names the format.
    symbol
        Name of the symbol where the file has no column ``symbol``.
    time_format
        Of `datetime.strptime`, in UTC, for times that are not in ISO 8601.
    """

    location: str
    symbol: str = "default"
    time_format: str | None = None


def _eurusd_1h() -> Source:
    """6,225 hourly EUR/USD bars of 2017, a file of gym-anytrading, which is not imported."""
    spec = find_spec("gym_anytrading")
    if spec is None or spec.origin is None:
        raise DataError(
            "the data set eurusd-1h lies inside the package gym-anytrading, which is not "
            "installed: run `make install` or `pip install --no-deps gym-anytrading`"
        )
    path = Path(spec.origin).parent / "datasets" / "data" / "FOREX_EURUSD_1H_ASK.csv"
    return Source(str(path), symbol="EURUSD", time_format="%d.%m.%Y %H:%M:%S.%f")


DATASETS: dict[str, Callable[[], Source]] = {
    "eurusd-1h": _eurusd_1h,
}


def resolve(source: str, *, symbol: str, time_format: str | None) -> Source:
    """Return the named data set, or what a path or URL stands for."""
    if source in DATASETS:
        return DATASETS[source]()
    return Source(source, symbol=symbol, time_format=time_format)


def absolute(source: str) -> str:
    """Return a source that means the same from every folder; names and URLs do already."""
    if source in DATASETS or urlparse(source).scheme:
        return source
    return str(Path(source).absolute())


def read_bars(source: Source, *, symbols: tuple[str, ...] = ()) -> tuple[Bars, ...]:
    """Read every bar of a source, in the order of the file, one `Bars` per symbol.

    Parameters
    ----------
    source
        From `resolve`.
    symbols
        Those wanted, all by default; in this order.

    Raises
    ------
    DataError
        If the file is missing or unreadable, lacks a column, or has none of a symbol's bars.
    """
    table = _normalise(_read_table(source), source)
    names = np.asarray(table["symbol"].to_pylist(), dtype=object)
    found = list(dict.fromkeys(names.tolist()))
    absent = [name for name in symbols if name not in found]
    if absent or not found:
        raise DataError(f"{source.location}: no bars of {absent or 'any symbol'}, found {found}")
    time = _read_time(table["time"], source)
    columns = {name: _read_numbers(table[name], name, source) for name in COLUMNS}
    every = []
    for name in symbols or tuple(found):
        rows = names == name
        arrays = {column: values[rows] for column, values in columns.items()}
        every.append(Bars(symbol=str(name), time=time[rows], **arrays))
    return tuple(every)


def _read_table(source: Source) -> pa.Table:
    kind = Path(urlparse(source.location).path).suffix.lower()
    if kind not in (".csv", ".parquet"):
        raise DataError(
            f"{source.location}: expected a .csv or .parquet file, a store URL of one, "
            f"or one of the data sets {sorted(DATASETS)}"
        )
    data = io.BytesIO(_read_bytes(source.location))
    try:
        if kind == ".parquet":
            return pyarrow.parquet.read_table(data)
        # Times in a format of their own are text to the CSV reader.
        return pyarrow.csv.read_csv(data)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{source.location}: not a readable {kind} file: {error}") from error


def _read_bytes(location: str) -> bytes:
    parsed = urlparse(location)
    try:
        if parsed.scheme in ("", "file"):
            return Path(unquote(parsed.path)).read_bytes()
        root, name = location.rsplit("/", 1)
        return Objects(root).read(name)
    except (OSError, StoreError) as error:
        raise DataError(f"cannot read bars from {location}: {error}") from error


def _normalise(table: pa.Table, source: Source) -> pa.Table:
    """Give columns their names, whatever their case, and add the symbol if there is none."""
    table = table.rename_columns([name.strip().lower() for name in table.column_names])
    times = [name for name in TIME_NAMES if name in table.column_names]
    missing = [name for name in COLUMNS if name not in table.column_names]
    if missing or not times:
        wanted = missing or [f"a time ({', '.join(TIME_NAMES)})"]
        raise DataError(
            f"{source.location}: lacks the columns {wanted}, found {table.column_names}"
        )
    table = table.rename_columns(
        ["time" if name == times[0] else name for name in table.column_names]
    )
    if "symbol" not in table.column_names:
        table = table.append_column("symbol", pa.array([source.symbol] * len(table), pa.string()))
    return table.select(["time", "symbol", *COLUMNS])


def _read_time(column: pa.ChunkedArray, source: Source) -> IntArray:
    try:
        if source.time_format is not None:
            time_format = source.time_format
            texts = [text or "" for text in column.cast(pa.string()).to_pylist()]
            return np.array(
                [as_microseconds(datetime.strptime(text, time_format)) for text in texts],
                dtype=np.int64,
            )
        if not pa.types.is_timestamp(column.type):
            column = column.cast(pa.string()).cast(pa.timestamp("us"))
        whole = pc.fill_null(column.cast(pa.timestamp("us")).cast(pa.int64()), NO_TIME)
        return np.asarray(whole.to_numpy(), dtype=np.int64)
    except (pa.ArrowException, ValueError) as error:
        hint = f"in the format {source.time_format!r}" if source.time_format else "in ISO 8601"
        raise DataError(f"{source.location}: times are not {hint}: {error}") from error


def _read_numbers(column: pa.ChunkedArray, name: str, source: Source) -> FloatArray:
    try:
        return np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)
    except (pa.ArrowException, ValueError) as error:
        raise DataError(f"{source.location}: {name} is not a number everywhere: {error}") from error
