"""What the columns of a file of bars mean, from their names or, without any, from their number."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from plumbline.bundle.array import IntArray
from plumbline.training.bar_file import Cells, quote
from plumbline.training.bars import COLUMNS
from plumbline.training.errors import DataError

TIME_NAMES = ("open_time", "timestamp", "time", "datetime", "date", "unix", "t")
"""Names of the bar's open time; the first of them that a file has is taken."""
SYMBOL_NAMES = ("symbol", "ticker", "pair", "instrument")
SHORT = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume", "vol": "volume"}
BY_NUMBER = {
    6: "time, open, high, low, close, volume: ccxt's OHLCV",
    12: "those and close time, quote volume, trades, two volumes of takers, ignore: Binance klines",
}
"""Layouts of files without a header, by the number of their columns."""
_INDEX = ("", "index", "indexlevel0", "unnamed0")
_TIMES = tuple(name.replace("_", "") for name in TIME_NAMES)


@dataclass(frozen=True)
class Layout:
    """Where the bars of a file are, or of one symbol of a file that has symbols side by side.

    Attributes
    ----------
    time, symbol
        Position of their columns; symbol is None where there is none.
    columns
        Position of each of `COLUMNS`.
    beside
        The symbol that stands above these columns, in a header of several lines.
    """

    time: int
    columns: dict[str, int]
    symbol: int | None = None
    beside: str | None = None


def find_layouts(location: str, cells: Cells) -> tuple[Layout, ...]:
    """Tell which column is which: one layout, or one for each of several symbols side by side.

    Raises
    ------
    DataError
        If a column is missing or there twice; the message lists those that were found.
    """
    if not cells.headed:
        return (_by_number(location, cells),)
    level = _price_level(cells.headers)
    if len(cells.headers[0]) == 1 or level is None:
        return (
            _by_name(
                location, [labels[-1 if level is None else level] for labels in cells.headers]
            ),
        )
    return _side_by_side(location, cells.headers, level)


def key_of(label: str) -> str:
    """Return a label without case, spaces and marks: ``Open time`` and ``open_time`` are one."""
    return re.sub(r"[^a-z0-9]", "", label.lower())


def _by_number(location: str, cells: Cells) -> Layout:
    width = len(cells.columns)
    if width not in BY_NUMBER:
        first = [str(column[0].as_py()) for column in cells.columns]
        known = "; ".join(f"{count} ({meaning})" for count, meaning in BY_NUMBER.items())
        raise DataError(
            f"{location}: row {cells.rows[0]} has no header, {quote(', '.join(first))}, and "
            f"{width} columns. Without a header there must be {known}: write a first row that "
            f"names them, time, {', '.join(COLUMNS)}"
        )
    return Layout(0, {name: place + 1 for place, name in enumerate(COLUMNS)})


def _by_name(location: str, labels: Sequence[str]) -> Layout:
    keys = [key_of(label) for label in labels]
    time = _find(location, labels, keys, _TIMES)
    if time is None and keys and (keys[0] in _INDEX or keys[-1] in _INDEX[1:]):
        time = 0 if keys[0] in _INDEX else len(keys) - 1  # as pandas writes an index of no name
    symbol = _find(location, labels, keys, SYMBOL_NAMES)
    columns = _price_columns(location, labels, keys)
    missing = [name for name in COLUMNS if name not in columns]
    if time is None or missing:
        wanted = ["the time"] * (time is None) + missing
        raise DataError(
            f"{location}: lacks {', '.join(wanted)}; found the columns {list(labels)}. Add or "
            f"rename what is missing: a time is called {', '.join(TIME_NAMES)}, the others "
            f"{', '.join(COLUMNS)}, in any case"
        )
    return Layout(time, columns, symbol)


def _price_columns(location: str, labels: Sequence[str], keys: Sequence[str]) -> dict[str, int]:
    found = {}
    for name in COLUMNS:
        short = tuple(key for key, meaning in SHORT.items() if meaning == name)
        place = _find(location, labels, keys, (name, *short))
        if place is not None:
            found[name] = place
    return found


def _find(
    location: str, labels: Sequence[str], keys: Sequence[str], names: Iterable[str]
) -> int | None:
    """Return the position of the first name that is there; twice is refused."""
    for name in names:
        places = [place for place, key in enumerate(keys) if key == name]
        if len(places) > 1:
            twice = " and ".join(repr(labels[place]) for place in places)
            raise DataError(
                f"{location}: columns {places[0] + 1} and {places[1] + 1}, {twice}, are both "
                f"{name}: leave one of them, or rename the other"
            )
        if places:
            return places[0]
    return None


def _price_level(headers: Sequence[Sequence[str]]) -> int | None:
    """Return which line of a header names prices; None if no line does."""
    for level in range(len(headers[0])):
        keys = {key_of(labels[level]) for labels in headers}
        if set(COLUMNS[:-1]) <= keys:
            return level
    return None


def _side_by_side(
    location: str, headers: Sequence[Sequence[str]], level: int
) -> tuple[Layout, ...]:
    """Read a header as yfinance writes it: the price, the ticker, and the index's name."""
    time = _index_column(location, headers)
    other = next((line for line in range(len(headers[0])) if line != level), level)
    symbols = [labels[other].strip() for labels in headers]
    found = []
    for symbol in dict.fromkeys(symbols[:time] + symbols[time + 1 :]):
        places = [
            place for place in range(len(headers)) if symbols[place] == symbol and place != time
        ]
        labels = [headers[place][level] for place in places]
        columns = _price_columns(location, labels, [key_of(label) for label in labels])
        missing = [name for name in COLUMNS if name not in columns]
        if missing:
            raise DataError(
                f"{location}: lacks {', '.join(missing)} of {symbol!r}; found {labels}. Add the "
                "columns, or remove the symbol"
            )
        whole = {name: places[place] for name, place in columns.items()}
        found.append(Layout(time, whole, beside=symbol))
    return tuple(found)


def _index_column(location: str, headers: Sequence[Sequence[str]]) -> int:
    for place, labels in enumerate(headers):
        if any(key_of(label) in _TIMES for label in labels):
            return place
    raise DataError(
        f"{location}: lacks the time; found the columns {[list(one) for one in headers]}. Call it "
        f"one of {', '.join(TIME_NAMES)}"
    )


def symbol_codes(
    location: str, column: pa.ChunkedArray, cells: Cells
) -> tuple[tuple[str, ...], IntArray]:
    """Return the symbols of a column in the order of their coming, and which each row has.

    Raises
    ------
    DataError
        If a row has none.
    """
    encoded = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if not pa.types.is_dictionary(encoded.type):
        encoded = encoded.cast(pa.string()).dictionary_encode()
    texts = [None if one is None else str(one).strip() for one in encoded.dictionary.to_pylist()]
    codes = np.asarray(encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False))
    empty = np.array([not text for text in texts] + [True])
    absent = empty[codes]
    if absent.any():
        row = int(cells.rows[int(absent.argmax())])
        raise DataError(
            f"{location}: row {row}, symbol: the cell is empty: expected the name of the market"
        )
    names = tuple(dict.fromkeys(str(text) for text in texts))
    place = np.array([names.index(str(text)) for text in texts], dtype=np.int64)
    which: IntArray = place[codes]
    return names, which
