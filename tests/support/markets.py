"""Random-walk markets: bars that look real enough for plumbing, and teach nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from plumbline.training.bars import Bars

HOUR = 3_600_000_000
START = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000


def walk(
    rows: int = 600, *, seed: int = 0, step: float = 0.001, symbol: str = "WALK", start: int = START
) -> Bars:
    """Return hourly bars of a geometric random walk without gaps."""
    rng = np.random.default_rng(seed)
    close = 1.1 * np.exp(np.cumsum(rng.normal(0, step, rows)))
    open_ = np.concatenate([[1.1], close[:-1]])
    body = np.stack([open_, close])
    return Bars(
        symbol=symbol,
        time=start + HOUR * np.arange(rows, dtype=np.int64),
        open=open_,
        high=body.max(axis=0) * np.exp(rng.exponential(step / 2, rows)),
        low=body.min(axis=0) * np.exp(-rng.exponential(step / 2, rows)),
        close=close,
        volume=rng.lognormal(10, 1, rows),
    )


def write_csv(path: Path, bars: Bars, *, header: str = "Time,Open,High,Low,Close,Volume") -> Path:
    """Write bars as a CSV file with times in ISO 8601."""
    lines = [header]
    for row in range(len(bars)):
        moment = datetime.fromtimestamp(bars.time[row] / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        values = (bars.open, bars.high, bars.low, bars.close, bars.volume)
        lines.append(",".join([moment, *(repr(float(column[row])) for column in values)]))
    path.write_text("\n".join(lines) + "\n")
    return path
