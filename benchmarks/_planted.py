"""Markets with a planted signal, so that a model of any kind has something to know.

Drifts come and go slowly; what a bar does is its drift and noise. Past returns tell the drift, and
the drift tells future returns: less than a real model would like, more than it gets.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

START = 1_500_000_000
_DRIFT, _NOISE, _KEEP = 0.0012, 0.0022, 0.96


def write_bars(path: Path, *, rows: int, seconds: int, symbols: int = 1, seed: int = 0) -> Path:
    """Write bars of some symbols as Parquet; the same seed gives the same file.

    Parameters
    ----------
    path
        Of the file.
    rows, seconds
        Bars of each symbol, and how long each lasts.
    symbols
        How many; what each does is its own.
    """
    rng = np.random.default_rng(seed)
    parts = []
    for number in range(symbols):
        drift = np.zeros(rows)
        kicks = rng.normal(0, _DRIFT * np.sqrt(1 - _KEEP**2), rows)
        for i in range(1, rows):
            drift[i] = _KEEP * drift[i - 1] + kicks[i]
        size = _NOISE * np.exp(0.2 * np.sin(np.arange(rows) / 97 + number))
        close = 100 * np.exp(np.cumsum(drift + size * rng.normal(size=rows)))
        opened = np.append(100.0, close[:-1])
        wick = size * np.abs(rng.normal(size=(2, rows)))
        parts.append(
            pa.table(
                {
                    "timestamp": pa.array(
                        (START // seconds * seconds + seconds * np.arange(rows)) * 1_000_000,
                        pa.timestamp("us", tz="UTC"),
                    ),
                    "symbol": pa.array([f"S{number:02d}"] * rows),
                    "open": opened,
                    "high": np.maximum(opened, close) * (1 + wick[0]),
                    "low": np.minimum(opened, close) * (1 - wick[1]),
                    "close": close,
                    "volume": 1000 * np.exp(rng.normal(0, 0.4, rows)),
                }
            )
        )
    pq.write_table(pa.concat_tables(parts), path)
    return path
