"""Reading bars: a text or Parquet file, by path or store URL, or a data set known by name.

```
bytes ─► cells ─► which column is which ─► times, numbers ─► one `Bars` a symbol
         bar_file  bar_layout               bar_value
```

Reading does not judge: `training.data_check` counts defects and refuses what must not be used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlparse

import numpy as np

from plumbline.bundle.array import IntArray
from plumbline.store.errors import StoreError
from plumbline.store.objects import Objects
from plumbline.training.bar_file import SUFFIXES, Cells, read_cells
from plumbline.training.bar_layout import Layout, find_layouts, key_of, symbol_codes
from plumbline.training.bar_value import Column, read_numbers, read_times
from plumbline.training.bars import COLUMNS, Bars
from plumbline.training.errors import DataError

UNNAMED = "default"
"""The symbol of bars that nobody gave one."""


@dataclass(frozen=True)
class Source:
    """Where bars lie and how to read them.

    Attributes
    ----------
    location
        A path or a URL; its suffix, of `bar_file.SUFFIXES`, names the format.
    symbol
        Whose bars are wanted or, where the file names no symbols, whose they are.
    time_format
        Of `datetime.strptime`, in UTC, for times that are not in ISO 8601.
    """

    location: str
    symbol: str = UNNAMED
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
    """Read bars, in the order of the file, one `Bars` per symbol.

    Parameters
    ----------
    source
        From `resolve`.
    symbols
        Those wanted, in this order; by default the source's, or every one if it names none.

    Raises
    ------
    DataError
        If the file is missing or unreadable, lacks a column, has a cell that is no time or number,
        or has no bars of a symbol; the message names the row, the time and the column.
    """
    location = source.location
    cells = read_cells(location, _read_bytes(location))
    layouts = find_layouts(location, cells)
    if not len(cells.rows):
        raise DataError(f"{location}: no bars of any symbol, only a header: give a row for each")
    layout = layouts[0]
    time = read_times(_column(location, cells, layout.time), source.time_format)
    if layout.beside is not None:
        sides = {str(one.beside): one for one in layouts}
        wanted = _wanted(source, symbols, tuple(sides))
        return tuple(_read_side(location, cells, sides[name], name, time) for name in wanted)
    if layout.symbol is None:
        wanted = _wanted(source, symbols, ())
        return tuple(_read(location, cells, layout, name, time) for name in wanted)
    names, codes = symbol_codes(location, cells.columns[layout.symbol], cells)
    every = _read(location, cells, layout, "", time)
    return tuple(
        replace(every.take(np.flatnonzero(codes == names.index(name))), symbol=name)
        for name in _wanted(source, symbols, names)
    )


def near(name: str, names: Sequence[str]) -> list[str]:
    """Return the names most like one: other spellings of it first, at most five.

    Examples
    --------
    >>> near("BTC/USDT", ["ETHBTC", "BTCUSDT"])
    ['BTCUSDT']
    """
    keys = {other: key_of(other) for other in names}
    same = [other for other, key in keys.items() if key == key_of(name)]
    close = get_close_matches(key_of(name), list(keys.values()), n=5, cutoff=0.6)
    like = [other for key in close for other, found in keys.items() if found == key]
    return list(dict.fromkeys([*same, *like]))[:5]


def _wanted(source: Source, symbols: tuple[str, ...], found: tuple[str, ...]) -> tuple[str, ...]:
    """Return the symbols to read from a file that names these; none if it names none."""
    if not found:
        if symbols not in ((), (source.symbol,)):
            raise DataError(
                f"{source.location}: no bars of {list(symbols)}: the file has no column symbol, "
                f"and its bars are taken for {source.symbol}'s; give one symbol, or such a column"
            )
        return (source.symbol,)
    named = () if source.symbol == UNNAMED else (source.symbol,)
    wanted = symbols or named or found
    absent = [name for name in wanted if name not in found]
    if absent:
        likely = [one for name in absent for one in near(name, found)]
        listed = likely or found[:10]
        raise DataError(
            f"{source.location}: no bars of {absent} among the {len(found)} symbols of the file; "
            f"{'the nearest are' if likely else 'there are'} {', '.join(listed)}"
            f"{'' if likely or len(found) <= 10 else ', …'}: give one of them as symbol"
        )
    return wanted


def _read(location: str, cells: Cells, layout: Layout, symbol: str, time: IntArray) -> Bars:
    arrays = {
        name: read_numbers(_column(location, cells, place, name), time)
        for name, place in layout.columns.items()
    }
    return Bars(symbol=symbol, time=time, file_row=cells.rows, **arrays)


def _read_side(location: str, cells: Cells, layout: Layout, symbol: str, time: IntArray) -> Bars:
    """Read one of several symbols side by side, without the rows that only the others have."""
    bars = _read(location, cells, layout, symbol, time)
    values = np.stack([getattr(bars, name) for name in COLUMNS])
    return bars.take(np.flatnonzero(~np.isnan(values).all(axis=0)))


def _column(location: str, cells: Cells, place: int, name: str = "time") -> Column:
    labels = [label for label in cells.headers[place] if label]
    return Column(location, " of ".join(labels) or name, cells.columns[place], cells.rows)


def _read_bytes(location: str) -> bytes:
    parsed = urlparse(location)
    if "." not in location.rsplit("/", 1)[-1]:
        raise DataError(
            f"{location}: expected a file whose name ends in {', '.join(SUFFIXES)}, a store URL of "
            f"one, or one of the data sets {sorted(DATASETS)}"
        )
    try:
        if parsed.scheme in ("", "file"):
            return Path(unquote(parsed.path)).read_bytes()
        root, name = location.rsplit("/", 1)
        return Objects(root).read(name)
    except (OSError, StoreError) as error:
        raise DataError(f"cannot read bars from {location}: {error}") from error
