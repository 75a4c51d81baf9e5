"""Random-walk markets: bars that look real enough for plumbing, and teach nothing."""

from __future__ import annotations

from datetime import UTC, datetime

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
