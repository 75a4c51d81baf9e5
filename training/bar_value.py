"""Cells to times and numbers, with a complaint that quotes the first cell that is neither."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.training.bar_file import quote
from plumbline.training.bars import MICROSECOND, NO_TIME, as_datetime, as_microseconds
from plumbline.training.errors import DataError

EARLIEST, LATEST = 100_000_000, 7_258_118_400
"""Of epochs, in seconds: March 1973 and the year 2200. What lies outside is something else."""
_SCALES = ((1e11, MICROSECOND, 1), (1e14, 1_000, 1), (1e17, 1, 1), (np.inf, 1, 1_000))
"""Below which size a number is in seconds, ms, µs and ns, and how it becomes microseconds."""
_NEAR = 1000
"""Rows looked at where a few are enough."""
_NUMBER = re.compile(r"-?\d+(\.\d*)?([eE]\+?\d+)?")
_EMPTY = ("", "nan", "nat", "null", "none", "na", "n/a", "<na>")
_OFFSET = r"(Z|[+-]\d\d:?\d\d)$"
_CALENDAR = re.compile(
    r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])([01]\d|2[0-3])?([0-5]\d){0,2}"
)


@dataclass(frozen=True)
class Column:
    """One column of a file, and what is needed to complain of a cell.

    Attributes
    ----------
    location, name
        The file's, and the column's in the file.
    cells
        As found.
    rows : (n,) int64
        The number of each row in the file.
    can_format
        Whether its reader can be told a ``time_format``.
    """

    location: str
    name: str
    cells: pa.ChunkedArray
    rows: IntArray
    can_format: bool = True

    def or_format(self, advice: str) -> str:
        """Return advice to say a ``time_format``, if there is where to say it."""
        return advice if self.can_format else ""

    def complain(self, place: int, expected: str, *, time: str = "") -> DataError:
        """Return the error that quotes a cell: ``row 17 (2024-01-02 05:00), close: …``."""
        found = quote(self.cells[place].as_py())
        return DataError(
            f"{self.location}: row {self.rows[place]}{time}, {self.name}: found {found}, expected "
            f"{expected}"
        )


def read_numbers(column: Column, time: IntArray) -> FloatArray:
    """Return a column as ``(n,) float64``; empty cells are NaN, for the check to count.

    Raises
    ------
    DataError
        If a cell is not a number; with its row, time and column.
    """
    cells = column.cells
    if _is_text(cells.type):
        cells = _without_empty(cells)
    try:
        return _floats(cells)
    except (pa.ArrowException, ValueError) as error:
        place = _first_failing(cells, _floats)
        change = _change(column, place)
        if re.fullmatch(r"[-\d.]*,\d+", str(cells[place].as_py())):
            change = "write it with a decimal point and nothing between thousands, 1234.5"
        raise column.complain(place, f"a number: {change}", time=_when(time[place])) from error


def read_times(column: Column, time_format: str | None) -> IntArray:
    """Return a column as microseconds since 1970 UTC; empty cells are `NO_TIME`.

    Timestamps of any unit, dates, text in ISO 8601 with or without an offset (without: UTC), and
    numbers, which are seconds, milliseconds, microseconds or nanoseconds since 1970 by their size.

    Parameters
    ----------
    column
        The cells.
    time_format
        Of `datetime.strptime`, for text in another form; times without a zone are UTC.

    Raises
    ------
    DataError
        If a cell is not a time; with its row and column.
    """
    cells = column.cells
    if pa.types.is_timestamp(cells.type) or pa.types.is_date(cells.type):
        return _whole(cells.cast(pa.timestamp("us"), safe=False).cast(pa.int64()))
    if time_format is not None:
        return _formatted(column, time_format)
    if _is_text(cells.type):
        texts = _without_empty(cells)
        numbers = _as_epochs(column, texts)
        if numbers is None:
            return _iso(column, texts)
        cells = numbers
    if not (pa.types.is_integer(cells.type) or pa.types.is_floating(cells.type)):
        raise column.complain(0, f"a time, but the column's type is {cells.type}")
    return _epochs(column, cells)


def _change(column: Column, place: int) -> str:
    """Say what to do about a cell; files that were joined repeat their header."""
    if str(column.cells[place].as_py()).strip().lower() == column.name.strip().lower():
        return "it is the header again, as in files that were joined: remove the row"
    return "correct the cell"


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind)
    )


def _without_empty(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return trimmed text, null where a cell says that there is nothing."""
    texts = pc.utf8_trim_whitespace(cells.cast(pa.string()))
    empty = pc.is_in(pc.utf8_lower(texts), value_set=pa.array(_EMPTY))
    return pc.if_else(empty, pa.scalar(None, pa.string()), texts)


def _floats(cells: pa.ChunkedArray) -> FloatArray:
    return np.asarray(cells.cast(pa.float64()).to_numpy(), dtype=np.float64)


def _as_epochs(column: Column, texts: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Return text as numbers, or None if the first cell is not one."""
    first = next((text for text in texts[:_NEAR].to_pylist() if text is not None), "")
    if _NUMBER.fullmatch(first) is None:
        return None
    try:
        return texts.cast(pa.int64())
    except (pa.ArrowException, ValueError):
        pass
    try:
        return texts.cast(pa.float64())
    except (pa.ArrowException, ValueError) as error:
        place = _first_failing(texts, lambda cells: cells.cast(pa.float64()))
        expected = f"a number since 1970, as in the rows before: {_change(column, place)}"
        raise column.complain(place, expected) from error


def _epochs(column: Column, cells: pa.ChunkedArray) -> IntArray:
    values = np.asarray(cells.to_numpy())
    known = np.isfinite(values) if values.dtype.kind == "f" else np.ones(len(values), dtype=bool)
    known &= np.asarray(cells.is_valid().to_numpy(), dtype=bool)
    number = np.where(known, values, 0)
    whole = number if number.dtype.kind in "iu" else number.astype(np.float64)
    time = np.zeros(len(values), dtype=np.int64)
    lower = 0.0
    for upper, factor, divisor in _SCALES:
        inside = (np.abs(whole) >= lower) & (np.abs(whole) < upper)
        scaled = whole[inside] * factor
        time[inside] = (
            scaled // divisor if scaled.dtype.kind in "iu" else np.round(scaled / divisor)
        )
        lower = upper
    outside = known & ((time < EARLIEST * MICROSECOND) | (time >= LATEST * MICROSECOND))
    if outside.any():
        raise column.complain(
            int(outside.argmax()),
            "seconds, milliseconds, microseconds or nanoseconds since 1970, of a moment after "
            "March 1973 and before 2200: write times in ISO 8601"
            + column.or_format(", or say time_format"),
        )
    _refuse_calendar(column, whole[known])
    time[~known] = NO_TIME
    return time


def _refuse_calendar(column: Column, numbers: np.ndarray) -> None:
    """Refuse 202401020930 for a time: as a number since 1970 it would be another one."""
    few = [str(int(number)) for number in numbers[:_NEAR]]
    if few and all(_CALENDAR.fullmatch(text) for text in few):
        raise column.complain(
            0,
            "a time; the digits read like year, month and day: "
            + (
                column.or_format(
                    'say so with time_format = "%Y%m%d%H%M", or as many of these as there are'
                )
                or "write times in ISO 8601"
            ),
        )


def _iso(column: Column, texts: pa.ChunkedArray) -> IntArray:
    """Read text in ISO 8601; whether there are offsets is said by the first row that has a time."""
    texts = pc.replace_substring_regex(texts, pattern=r"\s*UTC$", replacement="Z")
    zoned = pc.match_substring_regex(texts, _OFFSET)
    first = next((one for one in zoned.to_pylist() if one is not None), False)
    kind = pa.timestamp("ns", tz="UTC" if first else None)
    try:
        return _whole(texts.cast(kind).cast(pa.int64()), divisor=1_000)
    except (pa.ArrowException, ValueError) as error:
        place = _first_failing(texts, lambda cells: cells.cast(kind))
        expected = (
            f"a time in ISO 8601 (2024-01-02T09:30:00Z) or since 1970: {_change(column, place)}"
        ) + column.or_format(', or say how times are written, as time_format = "%d.%m.%Y %H:%M"')
        if _casts(texts.slice(place, 1), pa.timestamp("ns", tz=None if first else "UTC")):
            offset = "an" if first else "no"
            expected = f"{offset} offset, as in the rows before: write all times in the same way"
        raise column.complain(place, expected) from error


def _casts(cells: pa.ChunkedArray, kind: pa.DataType) -> bool:
    try:
        cells.cast(kind)
    except (pa.ArrowException, ValueError):
        return False
    return True


def _formatted(column: Column, time_format: str) -> IntArray:
    times = np.full(len(column.cells), NO_TIME, dtype=np.int64)
    texts = _without_empty(column.cells)
    for place, text in enumerate(texts.to_pylist()):
        if text is None:
            continue
        try:
            times[place] = as_microseconds(datetime.strptime(text, time_format))
        except ValueError as error:
            raise column.complain(
                place,
                f"a time in the format {time_format!r}, which the configuration names: correct "
                "time_format, or leave it out for ISO 8601 and numbers since 1970",
            ) from error
    return times


def _whole(cells: pa.ChunkedArray, *, divisor: int = 1) -> IntArray:
    missing = ~np.asarray(cells.is_valid().to_numpy(), dtype=bool)
    whole = np.asarray(pc.fill_null(cells, 0).to_numpy(), dtype=np.int64) // divisor
    whole[missing] = NO_TIME
    return whole


def _first_failing(cells: pa.ChunkedArray, convert: Callable[[pa.ChunkedArray], object]) -> int:
    """Return the place of the first cell that does not convert, found by halving."""
    low, high = 0, len(cells)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            convert(cells.slice(low, middle - low))
            low = middle
        except (pa.ArrowException, ValueError):
            high = middle
    return low


def _when(time: np.int64) -> str:
    return "" if time == NO_TIME else f" ({as_datetime(int(time)):%Y-%m-%d %H:%M})"
