"""Bars: what a market did, one row per interval, of one symbol."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.moment import SECOND, microseconds, moment_of
from plumbline.training.errors import DataError

PRICES = ("open", "high", "low", "close")
COLUMNS = (*PRICES, "volume")
MICROSECOND = SECOND
"""Microseconds in a second: every time in this package is an integer number of microseconds."""
NO_TIME = np.iinfo(np.int64).min
"""Stands for a missing time, as it does in numpy; counted as a null by the check."""


@dataclass(frozen=True)
class Bars:
    """The bars of one symbol, oldest first.

    Attributes
    ----------
    symbol
        Its name.
    time : (n,) int64
        Open time, microseconds since 1970 UTC.
    open, high, low, close, volume : (n,) float64
        Prices and traded volume.
    file_row : (n,) int64 or None
        Which row of its file each bar is, counted from 1 with the header; for complaints alone.
    """

    symbol: str
    time: IntArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    file_row: IntArray | None = None

    def __len__(self) -> int:
        return len(self.time)

    @property
    def interval(self) -> int:
        """The most frequent distance of two bars, in microseconds.

        Raises
        ------
        DataError
            If there are fewer than two bars.
        """
        if len(self) < 2:
            raise DataError(f"{self.symbol}: {len(self)} bars are too few to tell their interval")
        steps, counts = np.unique(np.diff(self.time), return_counts=True)
        return int(steps[counts.argmax()])

    def take(self, rows: slice | np.ndarray) -> Bars:
        """Return the bars at these positions, or where this mask is true."""
        arrays = {name: getattr(self, name)[rows] for name in ("time", *COLUMNS)}
        file_row = None if self.file_row is None else self.file_row[rows]
        return Bars(symbol=self.symbol, file_row=file_row, **arrays)

    def place(self, bar: int) -> str:
        """Say where a bar stands, for a complaint: ``row 17 (2024-01-02 05:00)``."""
        row = f"bar {bar + 1}" if self.file_row is None else f"row {self.file_row[bar]}"
        known = self.time[bar] != NO_TIME
        return f"{row} ({as_datetime(int(self.time[bar])):%Y-%m-%d %H:%M})" if known else row

    def until(self, end: int) -> Bars:
        """Return the bars that have closed by ``end``, in microseconds."""
        return self.take(self.time + self.interval <= end)


def digest_of(bars: Sequence[Bars]) -> str:
    """Return the SHA-256 of bars, symbol by symbol."""
    digest = hashlib.sha256()
    for one in bars:
        digest.update(one.symbol.encode() + b"\0")
        for name in ("time", *COLUMNS):
            digest.update(np.ascontiguousarray(getattr(one, name)).tobytes())
    return digest.hexdigest()


def as_datetime(time: int) -> datetime:
    """Turn microseconds since 1970 into a time with zone UTC."""
    return moment_of(time)


def as_microseconds(time: datetime) -> int:
    """Turn a time, taken as UTC where it names no zone, into microseconds since 1970."""
    return microseconds(time if time.tzinfo else time.replace(tzinfo=UTC))
