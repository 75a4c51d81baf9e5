"""How much a reference has seen: rows, but also moments, and stretches that differ from each other.

Twenty symbols of six hundred hours each are twelve thousand rows of six hundred hours: one summer.
And of a stream that moves slowly many rows say the same thing again. A bound on false alarms needs
enough of all three.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from typing_extensions import override

from plumbline.bundle.array import AnyArray, FloatArray, IntArray

GUARANTEED_ROWS = 12_000
"""Fewer reference rows than this, and no false-alarm guarantee is given."""

GUARANTEED_MOMENTS = 4_000
"""The same of moments: rows of many symbols at one moment are of one market."""

GUARANTEED_STRETCHES = 20
"""The same of stretches as long as the memory of what the model says."""

_DAY = 86_400_000_000
_WINDOW = 5.0


@dataclass(frozen=True)
class Coverage:
    """What there is of a reference.

    Attributes
    ----------
    rows, symbols
        How many.
    moments
        Different bar times.
    stretches
        Moments, in units of the outputs' integrated autocorrelation time.
    days
        From the first bar to the last.
    """

    rows: int
    symbols: int
    moments: int
    stretches: int
    days: float

    @property
    def missing(self) -> str | None:
        """What would have to be there for a false-alarm bound; None if it is."""
        for name in ("rows", "moments", "stretches"):
            found, wanted = getattr(self, name), _WANTED[name]
            if found < wanted:
                return f"{found} reference {name}; {wanted}"
        return None

    @property
    def rows_a_day(self) -> float | None:
        """Rows of each symbol a day, closed days included; None where the bars have no time."""
        if self.days <= 0 or self.symbols == 0:
            return None
        return self.rows / self.symbols / self.days

    @override
    def __str__(self) -> str:
        of = f" of {self.symbols} symbols" if self.symbols > 1 else ""
        return (
            f"{self.rows:,} rows{of} at {self.moments:,} moments of {self.days:,.0f} days, "
            f"{self.stretches:,} independent stretches"
        )


_WANTED = {
    "rows": GUARANTEED_ROWS,
    "moments": GUARANTEED_MOMENTS,
    "stretches": GUARANTEED_STRETCHES,
}


def coverage(bar_time: IntArray, symbol: AnyArray, said: FloatArray) -> Coverage:
    """Measure what there is.

    Parameters
    ----------
    bar_time : (n,) int64
        Microseconds.
    symbol : (n,) str
        Rows of one symbol are consecutive, oldest first.
    said : (n, w) floating
        What the model said.
    """
    moments = len(np.unique(bar_time))
    begins = np.flatnonzero(symbol[1:] != symbol[:-1]) + 1
    memory = [memory_of(column) for part in np.split(said, begins) for column in part.T]
    slowest = np.reshape(memory, (-1, said.shape[1])).max(axis=1)
    return Coverage(
        rows=len(bar_time),
        symbols=len(begins) + 1,
        moments=moments,
        stretches=int(moments / float(np.median(slowest))),
        days=float(np.ptp(bar_time)) / _DAY if len(bar_time) else 0.0,
    )


def memory_of(values: FloatArray) -> float:
    """Integrated autocorrelation time of a stream, in rows; 1 of one without memory.

    ``1 + 2 Σ ρ_k`` up to the first ``k`` that is five times the sum itself.

    References
    ----------
    Sokal (1997), "Monte Carlo Methods in Statistical Mechanics", section 3.
    """
    n = len(values)
    x = np.asarray(values, np.float64) - np.mean(values, dtype=np.float64) if n else values
    total = float((x**2).sum()) if n else 0.0
    if total <= 0:
        return 1.0
    spectrum = np.abs(np.fft.rfft(x, 2 * n)) ** 2
    correlation = np.fft.irfft(spectrum)[:n] / total
    time = 2 * np.cumsum(correlation) - 1
    inside = np.arange(n) >= _WINDOW * time
    return max(1.0, float(time[inside.argmax() if inside.any() else n - 1]))
