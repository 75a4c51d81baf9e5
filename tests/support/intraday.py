"""The columns of `intraday_31` by definition, in plain numpy, from the raw values of each row."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from plumbline.training.bars import Bars

DAY = 86_400_000_000


def rolling(values: np.ndarray, width: int) -> np.ndarray:
    """Return each row's newest ``width`` values, oldest first; NaN where there are fewer."""
    padded = np.concatenate([np.full(width - 1, np.nan), values])
    return sliding_window_view(padded, width)


def lagged(values: np.ndarray, rows: int) -> np.ndarray:
    """Return the values of ``rows`` rows ago."""
    return rolling(values, rows + 1)[:, 0]


def divided(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Divide, giving zero where the whole is zero."""
    return np.where(whole == 0, 0.0, part / np.where(whole == 0, 1.0, whole))


def by_definition(bars: Bars, session: int) -> dict[str, np.ndarray]:
    """Compute every column of every bar: ``(n,) float64`` each, NaN in its warm-up."""
    o, h, low, c = (np.log(getattr(bars, name)) for name in ("open", "high", "low", "close"))
    volume = np.log1p(bars.volume)
    step = c - lagged(c, 1)
    spread = h - low

    def root(width: int) -> np.ndarray:
        return np.sqrt((rolling(step, width) ** 2).mean(axis=1))

    def log(level: np.ndarray) -> np.ndarray:
        return np.log(np.maximum(level, 1e-8))

    def position(width: int) -> np.ndarray:
        lowest, highest = rolling(low, width).min(axis=1), rolling(h, width).max(axis=1)
        return divided(2 * c - lowest - highest, highest - lowest)

    def strength(width: int) -> np.ndarray:
        steps = rolling(step, width)
        return divided(steps.sum(axis=1), np.abs(steps).sum(axis=1))

    def season(days: int) -> np.ndarray:
        ahead = min(6, session)
        square = rolling(step**2, ahead).mean(axis=1)
        past = [lagged(square, day * session - ahead) for day in range(1, days + 1)]
        return log(np.sqrt(np.mean(past, axis=0)))

    columns = {f"return_{k}": c - lagged(c, k) for k in (1, 2, 3, 6, 12, 24, 72)}
    columns |= {f"volatility_{k}": log(root(k)) for k in (6, 24, 72, 120)}
    columns |= {f"range_{k}": log(rolling(spread, k).mean(axis=1)) for k in (1, 6, 24)}
    columns |= {"body": divided(c - o, spread), "wick": divided(h + low - o - c, spread)}
    columns |= {f"rsi_{k}": strength(k) for k in (14, 48)}
    fast, slow = (rolling(c, k).mean(axis=1) for k in (12, 26))
    columns["macd_12_26"] = divided(fast - slow, root(26) * np.sqrt(26))
    columns |= {f"position_{k}": position(k) for k in (24, 120)}
    day = rolling(volume, 24)
    columns["volume_score_24"] = divided(volume - day.mean(axis=1), day.std(axis=1))
    columns["volume_trend_6_72"] = rolling(volume, 6).mean(axis=1) - rolling(volume, 72).mean(
        axis=1
    )
    columns |= {f"season_{days}": season(days) for days in (1, 5)}
    moment = bars.time + bars.interval // 3
    for name, period in (("hour", DAY), ("half_day", DAY // 2), ("week", 7 * DAY)):
        phase = 2 * np.pi * (moment % period) / period
        columns |= {f"{name}_sin": np.sin(phase), f"{name}_cos": np.cos(phase)}
    return columns
