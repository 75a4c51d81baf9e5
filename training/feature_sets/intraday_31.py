"""31 columns for bars shorter than a day: returns, volatility, shape, place, volume, season, clock.

All are free of the price level, so that it never tells the model which year it is. The *absolute*
level of volatility is among them: without it a quiet market looks like any other. Prices enter by
their logarithm, so that the market quoted the other way round has the same columns but for the sign
of some. In a working market no column is zero or repeats itself: that always means a broken client.

Names count bars: `return_6` looks six bars back. The two seasons count sessions: how much the
market moved after this hour yesterday, and on the last five days. A session has as many bars as a
day of this market usually has (24 for EUR/USD hours, 7 for hourly shares, 391 for their minutes).

```
bars ─ log ┬ changes, squares, ranges ── one convolution ── sums and means ─┬ columns
           ├ highs and lows ── running extremes ── place of the close ──────┤
time ──────┴ sine and cosine ───────────────────────────────────────────────┘
```
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from pydantic import PositiveInt
from torch.nn import functional
from typing_extensions import override

from plumbline.bundle.record import Record
from plumbline.training.bars import MICROSECOND, Bars
from plumbline.training.feature_sets.base import FeatureSet
from plumbline.training.feature_sets.trailing import (
    DAY,
    WEEK,
    Clock,
    Trailing,
    highest,
    logarithm,
    mean,
    newest,
    of_changes,
    ratio,
    total,
    value,
)
from plumbline.training.session import session_bars

RETURNS = (1, 2, 3, 6, 12, 24, 72)
VOLATILITIES = (6, 24, 72, 120)
RANGES = (1, 6, 24)
STRENGTHS = (14, 48)
POSITIONS = (24, 120)
SEASONS = (1, 5)
FAST, SLOW = 12, 26
VOLUME = 24
LONGEST = 120
AHEAD = 6
"""Bars that follow an hour, whose volatility is its season."""

NAMES = (
    *(f"return_{width}" for width in RETURNS),
    *(f"volatility_{width}" for width in VOLATILITIES),
    *(f"range_{width}" for width in RANGES),
    *("body", "wick"),
    *(f"rsi_{width}" for width in STRENGTHS),
    f"macd_{FAST}_{SLOW}",
    *(f"position_{width}" for width in POSITIONS),
    f"volume_score_{VOLUME}",
    "volume_trend_6_72",
    *(f"season_{days}" for days in SEASONS),
    *(f"{cycle}_{wave}" for cycle in ("hour", "half_day", "week") for wave in ("sin", "cos")),
)
_COMPUTED = (
    *(name for name in NAMES if name.startswith("return_")),
    "volume_trend_6_72",
    *(name for name in NAMES if name.startswith("range_")),
    *(name for name in NAMES if name.startswith("volatility_")),
    *(name for name in NAMES if name.startswith("season_")),
    *("body", "wick", "position_24", "position_120"),
    *("rsi_14", "rsi_48", "macd_12_26", "volume_score_24"),
)
"""All but the clock's, which are the last, in the order in which they are computed."""
_ONE = ((0.0,), (0.0,), (0.0,), (0.0,), (1.0,))
"""Added to open, high, low, close and volume before the logarithm."""

_FIRST = (
    (0.0, 1.0, 0.0, 0.0, 0.0),
    (0.0, 0.0, -1.0, 0.0, 0.0),
    (0.0, 1.0, -1.0, 0.0, 0.0),
    (0.0, 0.0, 0.0, 1.0, 0.0),
    (0.0, 0.0, 0.0, 0.0, 1.0),
)
"""From those logarithms: high, minus low, range, close, volume."""

_LAST = (
    (-1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    (-1.0, 1.0, 1.0, -1.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    (0.0, 0.0, 0.0, 2.0, 0.0, -1.0, 1.0, 0.0, 0.0),
    (0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, -1.0, 1.0),
    (0.0, 1.0, -1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    (0.0, 1.0, -1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    (0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0),
    (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0),
)
"""From the logarithms, then highest and minus lowest of 24 and of 120 bars: body, wick and the two
positions, and below them what each is divided by."""


class Intraday31Params(Record):
    """What the market looks like; both are found in the bars if not given."""

    session_bars: PositiveInt | None = None
    bar_seconds: PositiveInt | None = None


class Intraday31(FeatureSet[Intraday31Params]):
    """The columns `NAMES`."""

    Params = Intraday31Params

    def __init__(self, params: Intraday31Params) -> None:
        super().__init__(params)
        if params.session_bars is None or params.bar_seconds is None:
            raise ValueError("session_bars and bar_seconds are not known: use `resolved` first")
        self._session = params.session_bars
        self._ahead = min(AHEAD, params.session_bars)
        self._sums = Trailing(
            [
                [
                    [of_changes(value(), value(width)) for width in RETURNS],
                    [*map(total, STRENGTHS), of_changes(mean(FAST), mean(SLOW))],
                ],
                [[*map(total, STRENGTHS)]],
                [[*map(mean, VOLATILITIES)], [total(SLOW)]],
                [[*map(mean, RANGES)]],
                [[of_changes(mean(6), mean(72))], [of_changes(value(), mean(VOLUME))]],
            ]
        )
        share = 1 / math.sqrt(VOLUME)
        self._moves = Trailing([[[(share,) * lag for lag in range(1, VOLUME)]]])
        self._following = Trailing([[[mean(self._ahead)]]])
        self._clock = Clock((DAY, DAY // 2, WEEK), params.bar_seconds)
        days = torch.zeros(len(SEASONS), 1, max(SEASONS))
        for row, count in enumerate(SEASONS):
            days[row, 0, -count:] = 1 / count
        self.register_buffer("_days", days, persistent=False)
        for name, matrix in (("_first", _FIRST), ("_last", _LAST), ("_one", _ONE)):
            values = torch.tensor(matrix, dtype=torch.float64)
            self.register_buffer(name, values, persistent=False)
        order = torch.tensor([_COMPUTED.index(name) for name in NAMES[: len(_COMPUTED)]])
        self.register_buffer("_order", order, persistent=False)

    @classmethod
    @override
    def resolved(cls, params: Intraday31Params, bars: Sequence[Bars]) -> Intraday31Params:
        return Intraday31Params(
            session_bars=params.session_bars or session_bars(bars),
            bar_seconds=params.bar_seconds or max(bars[0].interval // MICROSECOND, 1),
        )

    @property
    @override
    def names(self) -> tuple[str, ...]:
        return NAMES

    @property
    @override
    def memory(self) -> int:
        return max(LONGEST, max(SEASONS) * self._session)

    @override
    def forward(self, bars: torch.Tensor) -> torch.Tensor:
        rows = bars.shape[1] - self.memory
        logs = torch.log(bars.transpose(1, 2)[:, 1:] + cast(torch.Tensor, self._one))
        series = cast(torch.Tensor, self._first) @ logs
        later = series[..., 1:]
        highs_lows, spread, _ = later.split([2, 1, 2], dim=1)
        _, step, volume = (later - series[..., :-1]).split([3, 1, 1], dim=1)
        known = torch.cat([step, step.abs(), step * step, spread, volume], dim=1).float()
        recent = newest(known, rows + LONGEST - 1)
        returns, moved, lengths, hours, slow, ranges, trend, distance = self._sums(recent)

        season = self._season(known[:, 2:3], rows)
        variance = self._variance(recent[:, 4:], distance)
        roots = torch.sqrt(torch.cat([hours, season, slow, variance], dim=1))
        absolute, divisors = roots.split([len(VOLATILITIES) + len(SEASONS), 2], dim=1)
        levels = logarithm(torch.cat([ranges, absolute], dim=1))

        extremes = highest(newest(highs_lows, rows + LONGEST - 1), POSITIONS)
        shape = torch.cat([newest(each, rows) for each in (logs, *extremes)], dim=1)
        part, whole = (cast(torch.Tensor, self._last) @ shape).float().split(4, dim=1)
        ratios = ratio(
            torch.cat([part, moved, distance], dim=1), torch.cat([whole, lengths, divisors], dim=1)
        )
        columns = torch.cat([returns, trend, levels, ratios], dim=1)
        ordered = columns.index_select(1, cast(torch.Tensor, self._order)).transpose(1, 2)
        return torch.cat([ordered, self._clock(bars[:, -rows:, :1])], dim=2)

    def _variance(self, volume: torch.Tensor, distance: torch.Tensor) -> torch.Tensor:
        """Variance of the newest log volumes, from the newest one's distance to each and to all.

        What is subtracted is at most 23 times as much as what remains: little is lost.
        """
        width = distance.shape[-1] + self._moves.width - 1
        (moves,) = self._moves(newest(volume, width))
        square = (moves * moves).sum(dim=1, keepdim=True)
        return (square - distance * distance).clamp(min=0)

    def _season(self, squares: torch.Tensor, rows: int) -> torch.Tensor:
        """Mean square of the changes that followed this hour on the last days."""
        (following,) = self._following(squares)
        until = following.shape[-1] - (self._session - self._ahead)
        reach = (max(SEASONS) - 1) * self._session
        past = following[..., until - rows - reach : until]
        days = cast(torch.Tensor, self._days)
        return functional.conv1d(past, days, dilation=self._session)
