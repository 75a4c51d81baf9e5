"""Markets in which something can be known: the next return leans towards what was planted."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from plumbline.training.bars import Bars
from tests.support.markets import HOUR, START, write_csv

_KEEP = 0.92
"""Of the slow part of the returns from bar to bar."""


def planted(rows: int, *, strength: float, seed: int = 0, symbol: str = "default") -> Bars:
    """Return hourly bars in which a return's sign tends to persist.

    Parameters
    ----------
    rows
        Bars without gaps.
    strength
        Deviation of the slow part of the returns, in that of the noise; 0 gives a random walk.
    """
    rng = np.random.default_rng(seed)
    noise, kick = rng.normal(0, 0.001, rows), rng.normal(0, 0.001, rows)
    slow = np.zeros(rows)
    for row in range(1, rows):
        slow[row] = _KEEP * slow[row - 1] + kick[row] * np.sqrt(1 - _KEEP**2)
    close = 1.1 * np.exp(np.cumsum(noise + strength * slow))
    open_ = np.concatenate([[1.1], close[:-1]])
    body = np.stack([open_, close])
    return Bars(
        symbol=symbol,
        time=START + HOUR * np.arange(rows, dtype=np.int64),
        open=open_,
        high=body.max(axis=0) * np.exp(rng.exponential(0.0003, rows)),
        low=body.min(axis=0) * np.exp(-rng.exponential(0.0003, rows)),
        close=close,
        volume=rng.lognormal(10, 1, rows),
    )


def write_panel(path: Path, rows: int, *, symbols: int, strength: float) -> Path:
    """Write the bars of many symbols, one after the other, as one CSV file."""
    lines = ["symbol,time,open,high,low,close,volume"]
    for number in range(symbols):
        bars = planted(rows, strength=strength, seed=number)
        own = write_csv(path.with_suffix(".part"), bars).read_text().splitlines()[1:]
        lines += [f"S{number:02d},{line}" for line in own]
    path.with_suffix(".part").unlink()
    path.write_text("\n".join(lines) + "\n")
    return path
