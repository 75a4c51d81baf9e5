"""The cells of a file of bars, before anyone says what they mean.

A text file may be separated by commas, semicolons or tabs, may have a header of one line, a header
of several (yfinance writes the price, the ticker and the name of the index above each other), or
none (Binance before 2025). What a column means is `training.bar_layout`'s business.
"""

from __future__ import annotations

import ast
import csv
import gzip
import io
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from plumbline.bundle.array import IntArray
from plumbline.training.errors import DataError

DELIMITERS = ("\t", ";", ",")
TEXT = (".csv", ".tsv", ".txt")
SUFFIXES = (*TEXT, ".parquet")
PACKED = (".gz", ".zip")
_HEADER_LINES = 3
_SHOWN = 60


@dataclass(frozen=True)
class Cells:
    """Columns of a file.

    Attributes
    ----------
    headers
        The labels above each column, topmost first; none for a file without a header.
    columns
        As found: text from a text file, anything from a Parquet file.
    rows : (n,) int64
        Where in its file each row stands, counted from 1 as editors do, the header included.
    """

    headers: tuple[tuple[str, ...], ...]
    columns: tuple[pa.ChunkedArray, ...]
    rows: IntArray

    @property
    def headed(self) -> bool:
        """Whether the file says what its columns are."""
        return any(self.headers)


def read_cells(location: str, data: bytes) -> Cells:
    """Read a file's content.

    Parameters
    ----------
    location
        Its path or URL, of which the suffix counts, and which complaints name.
    data
        What it holds; may be packed by gzip, or be alone in a zip archive.

    Raises
    ------
    DataError
        If it cannot be read, or a row has more or fewer cells than the others.
    """
    name, data = _unpack(location, data)
    kind = PurePosixPath(name).suffix.lower()
    if kind == ".parquet":
        return _read_parquet(location, data)
    if kind in TEXT:
        return _read_text(location, data)
    raise DataError(
        f"{location}: expected a file whose name ends in {', '.join(SUFFIXES)}, or in one of these "
        f"and {' or '.join(PACKED)}"
    )


def quote(text: object) -> str:
    """Return what was found, as a complaint shows it: quoted, and not all of it if it is long."""
    shown = str(text)
    return repr(shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "…")


def _unpack(location: str, data: bytes) -> tuple[str, bytes]:
    """Return the name and content of what is packed; a zip archive must hold one file alone."""
    name = location.partition("?")[0]
    kind = PurePosixPath(name).suffix.lower()
    try:
        if kind == ".gz":
            return name[: -len(kind)], gzip.decompress(data)
        if kind == ".zip":
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                members = [one for one in archive.infolist() if not one.is_dir()]
                if len(members) != 1:
                    raise DataError(
                        f"{location}: expected one file in the archive, found {len(members)}: "
                        "unpack it and give one of them"
                    )
                return members[0].filename, archive.read(members[0])
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError) as error:
        raise DataError(f"{location}: cannot be unpacked ({error}): fetch it again") from error
    return name, data


def _read_parquet(location: str, data: bytes) -> Cells:
    try:
        table = pyarrow.parquet.read_table(io.BytesIO(data))
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{location}: not a readable Parquet file: {error}") from error
    headers = tuple(_levels(name) for name in table.column_names)
    depth = max((len(levels) for levels in headers), default=1)
    padded = tuple((*levels, *("",) * (depth - len(levels))) for levels in headers)
    return Cells(padded, tuple(table.columns), np.arange(1, len(table) + 1, dtype=np.int64))


def _levels(name: str) -> tuple[str, ...]:
    """Return the labels of a column; pandas writes several as ``"('Close', 'SPY')"``."""
    if name.startswith("('"):
        try:
            return tuple(str(label) for label in ast.literal_eval(name))
        except (ValueError, SyntaxError):
            pass
    return (name,)


def _read_text(location: str, data: bytes) -> Cells:
    data = data.removeprefix(b"\xef\xbb\xbf")
    lines = _line_numbers(data)
    head = _first_lines(location, data)
    if not head:
        raise DataError(f"{location}: the file is empty: expected a row for every bar")
    delimiter = max(DELIMITERS, key=head[0].count)
    cells = [_split(line, delimiter) for line in head]
    width = len(cells[0])
    if width < 2:
        raise DataError(
            f"{location}: row {lines[0]} has a single cell, {quote(head[0])}: expected cells "
            "separated by a comma, a semicolon or a tab"
        )
    header = _header_lines(cells)
    columns = _read_columns(location, data, delimiter, width, lines)
    count = len(columns[0])
    # Cells with line breaks in them: rows are counted then, not lines.
    rows = lines if len(lines) == count else np.arange(1, count + 1, dtype=np.int64)
    labels = [one[:width] + [""] * (width - len(one)) for one in cells[:header]]
    headers = tuple(zip(*labels, strict=True)) if header else ((),) * width
    body = tuple(column.slice(header) for column in columns)
    return Cells(headers, body, rows[header:])


def _first_lines(location: str, data: bytes) -> list[str]:
    """Return the first lines that are not blank, as many as may be needed to find the header."""
    try:
        every = (line.decode().rstrip("\r\n") for line in io.BytesIO(data))
        return [
            line for line, _ in zip(filter(None, every), range(_HEADER_LINES + 1), strict=False)
        ]
    except UnicodeDecodeError as error:
        raise DataError(
            f"{location}: the text is not UTF-8 ({error.reason}): save it as CSV in UTF-8"
        ) from error


def _split(line: str, delimiter: str) -> list[str]:
    found = next(csv.reader([line], delimiter=delimiter), [])
    return [cell.strip() for cell in found]


def _header_lines(cells: Sequence[Sequence[str]]) -> int:
    """Return how many lines at the top hold labels: those above the first with two numbers.

    Where no line has any, the first alone is taken for the header, and the rest is complained of.
    """
    for count, line in enumerate(cells[: _HEADER_LINES + 1]):
        if sum(map(_is_number, line)) >= 2:
            return count
    return 1


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def _read_columns(
    location: str, data: bytes, delimiter: str, width: int, lines: IntArray
) -> tuple[pa.ChunkedArray, ...]:
    """Read every cell, the header's too, as text, so that a complaint can quote it."""
    names = [str(column) for column in range(width)]
    uneven: list[pyarrow.csv.InvalidRow] = []

    def remember(row: pyarrow.csv.InvalidRow) -> str:
        uneven.append(row)
        return "skip"

    try:
        table = pyarrow.csv.read_csv(
            io.BytesIO(data),
            pyarrow.csv.ReadOptions(column_names=names, use_threads=False),
            pyarrow.csv.ParseOptions(delimiter=delimiter, invalid_row_handler=remember),
            pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
        )
    except pa.ArrowException as error:
        raise DataError(f"{location}: not readable as text in cells: {error}") from error
    if uneven:
        first = uneven[0]
        place = lines[first.number - 1] if first.number <= len(lines) else first.number
        raise DataError(
            f"{location}: row {place} has another number of cells, {first.actual_columns}, than "
            f"the first row, {width}: {quote(first.text)}; complete or remove it"
        )
    return tuple(table.columns)


def _line_numbers(data: bytes) -> IntArray:
    """Return the numbers of the lines that are not blank, counted from 1."""
    bytes_ = np.frombuffer(data, dtype=np.uint8)
    ends = np.flatnonzero(bytes_ == ord("\n"))
    if len(bytes_) and bytes_[-1] != ord("\n"):
        ends = np.append(ends, len(bytes_))
    starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
    length = ends - starts
    lone_return = (length == 1) & (bytes_[np.minimum(starts, len(bytes_) - 1)] == ord("\r"))
    numbers: IntArray = np.flatnonzero((length > 0) & ~lone_return).astype(np.int64) + 1
    return numbers
