"""Files of bars as exchanges and libraries write them, from the layouts they publish."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from plumbline.training.bars import Bars

BINANCE = (
    *("open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume"),
    *("count", "taker_buy_volume", "taker_buy_quote_volume", "ignore"),
)
BINANCE_SPOKEN = (
    *("Open time", "Open", "High", "Low", "Close", "Volume", "Close time", "Quote asset volume"),
    *("Number of trades", "Taker buy base asset volume", "Taker buy quote asset volume", "Ignore"),
)
CCXT = ("timestamp", "open", "high", "low", "close", "volume")
YFINANCE = ("Open", "High", "Low", "Close", "Adj Close", "Volume")
NEW_YORK = timezone(timedelta(hours=-5))
US, MS, S, NS = 1, 1_000, 1_000_000, 0


def _text(rows: Iterable[Iterable[object]], delimiter: str = ",", end: str = "\n") -> bytes:
    return "".join(delimiter.join(map(str, row)) + end for row in rows).encode()


def _prices(bars: Bars, row: int) -> list[str]:
    columns = (bars.open, bars.high, bars.low, bars.close, bars.volume)
    return [repr(float(column[row])) for column in columns]


def _epoch(time: int, unit: int) -> int:
    return time * 1000 if unit == NS else time // unit


def _iso(time: int, form: str, zone: timezone = UTC) -> str:
    return datetime.fromtimestamp(time / 1e6, zone).strftime(form)


def klines(
    bars: Bars, unit: int, header: tuple[str, ...] = (), *, delimiter: str = ",", end: str = "\n"
) -> bytes:
    """Binance's klines: twelve columns, the times of open and close as epochs."""
    rows = [
        [
            *(_epoch(int(time), unit), *_prices(bars, row)),
            *(_epoch(int(time) + 3_599_999_000, unit), "1234.5", 42, "0.5", "617.25", 0),
        ]
        for row, time in enumerate(bars.time)
    ]
    return _text([header, *rows] if header else rows, delimiter, end)


def ccxt(bars: Bars, unit: int = MS, *, delimiter: str = ",", header: bool = True) -> bytes:
    """OHLCV of ccxt: six columns, the time as an epoch in milliseconds."""
    rows = [[_epoch(int(time), unit), *_prices(bars, row)] for row, time in enumerate(bars.time)]
    return _text([CCXT, *rows] if header else rows, delimiter)


def with_symbol(bars: Bars, *others: Bars) -> bytes:
    """Several symbols below each other, each with its name."""
    rows = [
        [one.symbol, int(time) // MS, *_prices(one, row)]
        for one in (bars, *others)
        for row, time in enumerate(one.time)
    ]
    return _text([("symbol", *CCXT), *rows])


def yfinance(bars: Bars, form: str, name: str, zone: timezone = UTC) -> bytes:
    """What yfinance wrote before 2025: one line of header, an adjusted close beside the close."""
    rows = []
    for row, time in enumerate(bars.time):
        *prices, volume = _prices(bars, row)
        moment = datetime.fromtimestamp(time / 1e6, zone)
        shown = moment.isoformat(" ") if form == "offset" else moment.strftime(form)
        rows.append([shown, *prices, "0.5", volume])
    return _text([(name, *YFINANCE), *rows])


def yfinance_levels(bars: Bars, *others: Bars, form: str = "%Y-%m-%d %H:%M:%S+00:00") -> bytes:
    """What yfinance writes since 2025: price, ticker and index name above each other."""
    every = (bars, *others)
    order = ("Close", "High", "Low", "Open", "Volume")
    rows: list[list[object]] = [
        ["Price", *(name for name in order for _ in every)],
        ["Ticker", *(one.symbol for _ in order for one in every)],
        ["Datetime", *("" for _ in order for _ in every)],
    ]
    for time in np.unique(np.concatenate([one.time for one in every])):
        cells: list[object] = [_iso(int(time), form)]
        for name in order:
            for one in every:
                found = np.flatnonzero(one.time == time)
                values = getattr(one, name.lower())
                cells.append(repr(float(values[found[0]])) if len(found) else "")
        rows.append(cells)
    return _text(rows)


def pandas(bars: Bars) -> bytes:
    """`DataFrame.to_csv` with an index that has no name."""
    rows = [
        [_iso(int(time), "%Y-%m-%d %H:%M:%S"), *_prices(bars, row)]
        for row, time in enumerate(bars.time)
    ]
    return _text([("", *CCXT[1:]), *rows])


def packed(name: str, data: bytes) -> bytes:
    """One file alone in a zip archive, as Binance hands out its months."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return buffer.getvalue()


def parquet(bars: Bars, time: pa.Array, name: str = "timestamp") -> bytes:
    """Columns of numbers, and a time of any type."""
    columns = {column: getattr(bars, column) for column in CCXT[1:]}
    buffer = io.BytesIO()
    pq.write_table(pa.table({name: time, **columns}), buffer)
    return buffer.getvalue()


def _timestamps(bars: Bars, unit: str, zone: str | None) -> bytes:
    moments = pa.array(bars.time, pa.timestamp("us", tz=zone))
    return parquet(bars, moments.cast(pa.timestamp(unit, tz=zone)))


FORMATS: dict[str, tuple[str, Callable[[Bars], bytes]]] = {
    "klines, ms": ("klines.csv", lambda bars: klines(bars, MS)),
    "klines, us": ("klines.csv", lambda bars: klines(bars, US)),
    "klines, header": ("klines.csv", lambda bars: klines(bars, MS, BINANCE)),
    "klines, spoken": ("klines.csv", lambda bars: klines(bars, US, BINANCE_SPOKEN)),
    "klines, zip": ("k.zip", lambda bars: packed("BTCUSDT-1h.csv", klines(bars, US))),
    "klines, crlf": ("k.csv", lambda bars: b"\xef\xbb\xbf" + klines(bars, MS, BINANCE, end="\r\n")),
    "ccxt": ("ohlcv.csv", ccxt),
    "ccxt, no header": ("ohlcv.csv", lambda bars: ccxt(bars, header=False)),
    "ccxt, gzip": ("ohlcv.csv.gz", lambda bars: gzip.compress(ccxt(bars))),
    "seconds": ("ohlcv.csv", lambda bars: ccxt(bars, S)),
    "nanoseconds": ("ohlcv.csv", lambda bars: ccxt(bars, NS)),
    "semicolon": ("ohlcv.csv", lambda bars: ccxt(bars, delimiter=";")),
    "tab": ("ohlcv.tsv", lambda bars: ccxt(bars, delimiter="\t")),
    "symbol": ("ohlcv.csv", with_symbol),
    "yfinance, dates": ("y.csv", lambda bars: yfinance(bars, "%Y-%m-%d %H:%M:%S", "Date")),
    "yfinance, offset": ("y.csv", lambda bars: yfinance(bars, "offset", "Datetime", NEW_YORK)),
    "yfinance, levels": ("y.csv", yfinance_levels),
    "pandas": ("p.csv", pandas),
    "parquet, s": ("b.parquet", lambda bars: _timestamps(bars, "s", "UTC")),
    "parquet, ms": ("b.parquet", lambda bars: _timestamps(bars, "ms", None)),
    "parquet, us": ("b.parquet", lambda bars: _timestamps(bars, "us", "America/New_York")),
    "parquet, ns": ("b.parquet", lambda bars: _timestamps(bars, "ns", None)),
    "parquet, epoch": (
        "b.parquet",
        lambda bars: parquet(bars, pa.array(bars.time // MS), "Open time"),
    ),
    "parquet, text": (
        "b.parquet",
        lambda bars: parquet(
            bars, pa.array([_iso(int(time), "%Y-%m-%dT%H:%M:%SZ") for time in bars.time]), "Date"
        ),
    ),
}
"""Name of a format: what its file is called, and how bars are written in it."""
