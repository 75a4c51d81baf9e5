"""Features: what the model is shown of each bar, computed from that bar and earlier ones alone.

All of them are scale-free, so that a price level never tells the model which year it is, and all
have a finite memory, so that a client with the last few days of bars computes what training did.
The *absolute* level of volatility is among them: without it a quiet market looks like any other.
Prices enter by their logarithm, so that the market quoted the other way round has the same features
but for the sign of some.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from plumbline.bundle.array import BoolArray, FloatArray
from plumbline.training.bars import MICROSECOND, Bars
from plumbline.training.errors import DataError

_TINY = 1e-8
_DAY = 86_400 * MICROSECOND
_WEEK = 7 * _DAY


def rolling(values: FloatArray, width: int) -> FloatArray:
    """Return each row's newest ``width`` values, oldest first; NaN where there are fewer.

    Examples
    --------
    >>> rolling(np.array([1.0, 2.0, 3.0]), 2).tolist()
    [[nan, 1.0], [1.0, 2.0], [2.0, 3.0]]
    """
    padded = np.concatenate([np.full(width - 1, np.nan), values])
    return sliding_window_view(padded, width)


def lagged(values: FloatArray, rows: int) -> FloatArray:
    """Return the values of ``rows`` rows ago; NaN where there are none."""
    return rolling(values, rows + 1)[:, 0]


@dataclass(frozen=True)
class View:
    """Bars, and the series that many features share."""

    bars: Bars

    @cached_property
    def log_close(self) -> FloatArray:
        """Logarithm of the closing price."""
        return np.log(self.bars.close)

    @cached_property
    def log_open(self) -> FloatArray:
        """Logarithm of the opening price."""
        return np.log(self.bars.open)

    @cached_property
    def log_high(self) -> FloatArray:
        """Logarithm of the highest price."""
        return np.log(self.bars.high)

    @cached_property
    def log_low(self) -> FloatArray:
        """Logarithm of the lowest price."""
        return np.log(self.bars.low)

    @cached_property
    def step(self) -> FloatArray:
        """Log return of each bar against the one before."""
        return _log_return(self, 1)

    @cached_property
    def spread(self) -> FloatArray:
        """Log distance of high and low."""
        return self.log_high - self.log_low

    @cached_property
    def log_volume(self) -> FloatArray:
        """Logarithm of one plus the volume."""
        return np.log1p(self.bars.volume)

    @cached_property
    def bars_per_day(self) -> int:
        """Bars in 24 hours of an open market, at least one."""
        return max(_DAY // self.bars.interval, 1)

    def level(self, width: int) -> FloatArray:
        """Root mean square of the newest ``width`` log returns."""
        square: FloatArray = (rolling(self.step, width) ** 2).mean(axis=1)
        return np.sqrt(square)


def _log(values: FloatArray) -> FloatArray:
    logarithm: FloatArray = np.log(values + _TINY)
    return logarithm


def _ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    """Divide, giving zero where the whole is zero, as in a bar that did not move."""
    safe = np.where(whole == 0, 1.0, whole)
    return np.where(whole == 0, 0.0, part / safe)


def _log_return(view: View, width: int) -> FloatArray:
    return view.log_close - lagged(view.log_close, width)


def _volatility(view: View, width: int) -> FloatArray:
    """Realised volatility, absolute, as a logarithm."""
    return _log(view.level(width))


def _range(view: View, width: int) -> FloatArray:
    """Mean range of a bar (Parkinson 1980), absolute, as a logarithm."""
    return _log(rolling(view.spread, width).mean(axis=1))


def _body(view: View) -> FloatArray:
    """Where in its range a bar closed against its open: -1 to 1."""
    return _ratio(view.log_close - view.log_open, view.spread)


def _wick(view: View) -> FloatArray:
    """Upper minus lower shadow over the range: -1 to 1."""
    shadows = view.log_high + view.log_low - view.log_open - view.log_close
    return _ratio(shadows, view.spread)


def _rsi(view: View, width: int) -> FloatArray:
    """Relative strength index (Wilder 1978; simple means, after Cutler), from -1 to 1."""
    steps = rolling(view.step, width)
    return _ratio(steps.sum(axis=1), np.abs(steps).sum(axis=1))


def _macd(view: View, fast: int, slow: int) -> FloatArray:
    """Distance of two moving averages in units of the slow one's volatility."""
    quick = rolling(view.log_close, fast).mean(axis=1)
    calm = rolling(view.log_close, slow).mean(axis=1)
    return _ratio(quick - calm, view.level(slow) * np.sqrt(slow))


def _position(view: View, width: int) -> FloatArray:
    """Place of the close between lowest low (-1) and highest high (1)."""
    low = rolling(view.log_low, width).min(axis=1)
    high = rolling(view.log_high, width).max(axis=1)
    return _ratio(2 * view.log_close - low - high, high - low)


def _volume_score(view: View, width: int) -> FloatArray:
    """Log volume in standard deviations from its recent mean."""
    recent = rolling(view.log_volume, width)
    return _ratio(view.log_volume - recent.mean(axis=1), recent.std(axis=1))


def _volume_trend(view: View, fast: int, slow: int) -> FloatArray:
    quick: FloatArray = rolling(view.log_volume, fast).mean(axis=1)
    calm: FloatArray = rolling(view.log_volume, slow).mean(axis=1)
    return quick - calm


def _season(view: View, days: int, ahead: int) -> FloatArray:
    """Volatility that followed this hour on the last ``days`` days, as a logarithm."""
    day = view.bars_per_day
    ahead = min(ahead, day)
    square = rolling(view.step**2, ahead).mean(axis=1)
    past = [lagged(square, count * day - ahead) for count in range(1, days + 1)]
    return _log(np.sqrt(np.mean(past, axis=0)))


def _cycle(view: View, period: int, wave: Callable[[FloatArray], FloatArray]) -> FloatArray:
    """Phase of a bar, a third into it: there no value is zero and no two neighbours are equal."""
    moment = view.bars.time + view.bars.interval // 3
    return wave(2 * np.pi * (moment % period) / period)


FEATURES: dict[str, Callable[[View], FloatArray]] = {
    **{f"return_{k}": partial(_log_return, width=k) for k in (1, 2, 3, 6, 12, 24, 72)},
    **{f"volatility_{k}": partial(_volatility, width=k) for k in (6, 24, 72, 120)},
    **{f"range_{k}": partial(_range, width=k) for k in (1, 6, 24)},
    "body": _body,
    "wick": _wick,
    "rsi_14": partial(_rsi, width=14),
    "rsi_48": partial(_rsi, width=48),
    "macd_12_26": partial(_macd, fast=12, slow=26),
    "position_24": partial(_position, width=24),
    "position_120": partial(_position, width=120),
    "volume_score_24": partial(_volume_score, width=24),
    "volume_trend_6_72": partial(_volume_trend, fast=6, slow=72),
    "season_1": partial(_season, days=1, ahead=6),
    "season_5": partial(_season, days=5, ahead=6),
    "hour_sin": partial(_cycle, period=_DAY, wave=np.sin),
    "hour_cos": partial(_cycle, period=_DAY, wave=np.cos),
    "half_day_sin": partial(_cycle, period=_DAY // 2, wave=np.sin),
    "half_day_cos": partial(_cycle, period=_DAY // 2, wave=np.cos),
    "week_sin": partial(_cycle, period=_WEEK, wave=np.sin),
    "week_cos": partial(_cycle, period=_WEEK, wave=np.cos),
}
"""Each feature by name, in the order of the model's input; widths are in bars."""

FEATURE_NAMES: tuple[str, ...] = tuple(FEATURES)

DIRECTED = ("return_", "body", "wick", "rsi_", "macd_", "position_")
"""How the names of features begin that change their sign when the price is turned upside down."""

PARITY: FloatArray = np.array(
    [-1.0 if name.startswith(DIRECTED) else 1.0 for name in FEATURE_NAMES], dtype=np.float32
)
"""``(f,)``: what each feature is multiplied with in the mirrored market, one over the price."""


def build_features(bars: Bars) -> FloatArray:
    """Compute every feature of every bar.

    Parameters
    ----------
    bars
        Of one symbol, checked.

    Returns
    -------
    (n, f) float32
        Columns in the order of `FEATURE_NAMES`. The first rows, whose memory reaches back before
        the first bar, are NaN.

    Raises
    ------
    DataError
        If a later row is not finite; the message names the features.
    """
    view = View(bars)
    with np.errstate(all="ignore"):  # what comes out is checked below, and named
        table = np.column_stack([compute(view) for compute in FEATURES.values()])
    whole: BoolArray = np.logical_and.reduce(np.isfinite(table), axis=1)
    first = int(whole.argmax()) if whole.any() else len(table)
    if not whole[first:].all():
        bad = ~np.isfinite(table[first:])
        names = [FEATURE_NAMES[column] for column in np.flatnonzero(bad.any(axis=0))]
        row = first + int(bad.any(axis=1).argmax())
        raise DataError(f"{bars.symbol}: {names} are not finite from bar {row} on; check the bars")
    table[:first] = np.nan
    features: FloatArray = table.astype(np.float32)
    return features
