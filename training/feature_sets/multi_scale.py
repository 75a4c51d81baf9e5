"""The same nine questions at every time scale, by default six of them: 60 columns.

For each width, in bars, how much the market moved, in which direction, how straight, how unevenly
up and down, whether a step follows the one before, where the close stands, and how much was traded.
Nothing but the log volatility and range depends on how wild the market is: moves are measured in
units of their own volatility.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Self, cast

import torch
from pydantic import Field, PositiveInt, model_validator
from torch.nn import functional
from typing_extensions import override

from plumbline.bundle.record import Record
from plumbline.training.bars import MICROSECOND, Bars
from plumbline.training.feature_sets.base import FeatureSet
from plumbline.training.feature_sets.trailing import (
    DAY,
    WEEK,
    Clock,
    Kernel,
    Trailing,
    exponential,
    highest,
    logarithm,
    mean,
    newest,
    of_changes,
    ratio,
    value,
)

OF_WIDTH = (
    *("volatility", "range", "volume", "momentum", "trend"),
    *("efficiency", "asymmetry", "correlation", "position"),
)
OF_BAR = ("body", "wick")
CLOCK = {"hour": DAY, "week": WEEK}


class MultiScaleParams(Record):
    """Which scales; the length of a bar is found in the bars if not given."""

    widths: tuple[int, ...] = Field(
        (5, 10, 20, 40, 80, 160), min_length=1, description="In bars; each divides the next."
    )
    volume: bool = Field(True, description="Whether there are columns of volume.")
    bar_seconds: PositiveInt | None = None

    @model_validator(mode="after")
    def _nested(self) -> Self:
        wrong = [b for a, b in pairwise(self.widths) if b <= a or b % a]
        if wrong or self.widths[0] < 3:
            raise ValueError(
                f"widths must begin with 3 or more and each divide the next, got {self.widths}"
            )
        return self


class MultiScale(FeatureSet[MultiScaleParams]):
    """`OF_WIDTH` for every width, `OF_BAR`, and `CLOCK` as far as it is longer than a bar."""

    Params = MultiScaleParams

    def __init__(self, params: MultiScaleParams) -> None:
        super().__init__(params)
        if params.bar_seconds is None:
            raise ValueError("bar_seconds is not known: use `resolved` first")
        self._widths = widths = params.widths
        moves = [_per_root(of_changes(value(), value(width)), width) for width in widths]
        trends = [
            _per_root(of_changes(value(), exponential(width / 2, width)), width) for width in widths
        ]
        averages = [mean(width) for width in widths]
        self._sums = Trailing(
            [
                [[*moves, *trends, *averages]],
                *([averages] for _ in ("sizes", "squares", "signed squares")),
                [[mean(width - 1) for width in widths]],
                [averages],
                [[of_changes(value(), mean(width)) for width in widths]],
            ]
        )
        periods = {name: each for name, each in CLOCK.items() if each > params.bar_seconds}
        self._cycles = tuple(f"{name}_{wave}" for name in periods for wave in ("sin", "cos"))
        self._clock = Clock(tuple(periods.values()), params.bar_seconds)
        one = torch.tensor([0.0, 0.0, 0.0, 0.0, 1.0], dtype=torch.float64)[:, None]
        self.register_buffer("_one", one, persistent=False)

    @classmethod
    @override
    def resolved(cls, params: MultiScaleParams, bars: Sequence[Bars]) -> MultiScaleParams:
        seconds = params.bar_seconds or max(bars[0].interval // MICROSECOND, 1)
        return params.model_copy(update={"bar_seconds": seconds})

    @property
    @override
    def names(self) -> tuple[str, ...]:
        kinds = [each for each in OF_WIDTH if self.params.volume or each != "volume"]
        each_width = (f"{each}_{width}" for each in kinds for width in self._widths)
        return (*each_width, *OF_BAR, *self._cycles)

    @property
    @override
    def memory(self) -> int:
        return max(self._widths)

    @override
    def forward(self, bars: torch.Tensor) -> torch.Tensor:
        rows = bars.shape[1] - self.memory
        logs = torch.log(bars.transpose(1, 2)[:, 1:] + cast(torch.Tensor, self._one))
        steps, lengths, squares, signed, products, ranges, volumes = self._sums(_known(logs))
        volatility = torch.sqrt(squares)

        opened, high, low, close, _ = newest(logs, rows).split(1, dim=1)
        top = torch.cat([newest(each, rows) for each in highest(logs[:, 1:2], self._widths)], dim=1)
        lows = highest(-logs[:, 2:3], self._widths)
        bottom = torch.cat([newest(each, rows) for each in lows], dim=1)  # minus the lowest
        spread = high - low
        shape = [2 * close - top + bottom, close - opened, high + low - opened - close]
        sizes = [top + bottom, spread, spread]
        part = [steps, signed, products, torch.cat(shape, dim=1).float()]
        whole = [*[volatility] * 2, lengths, *[squares] * 2, torch.cat(sizes, dim=1).float()]
        columns = [
            logarithm(torch.cat([volatility, ranges], dim=1)),
            *([volumes] if self.params.volume else []),
            ratio(torch.cat(part, dim=1), torch.cat(whole, dim=1)),
        ]
        shown = torch.cat(columns, dim=1).transpose(1, 2)
        return torch.cat([shown, self._clock(bars[:, -rows:, :1])], dim=2)


def _per_root(kernel: Kernel, width: int) -> Kernel:
    """Divide by the root of the width, so that a random walk gives about the same at every one."""
    return tuple(weight / math.sqrt(width) for weight in kernel)


def _known(logs: torch.Tensor) -> torch.Tensor:
    """What is summed: steps, their sizes, squares, signed squares and products; ranges, volumes."""
    change = logs[:, 3:, 1:] - logs[:, 3:, :-1]
    step, volume = change[:, :1], change[:, 1:]
    size = step.abs()
    product = functional.pad(step[..., 1:] * step[..., :-1], (1, 0))
    spread = logs[:, 1:2, 1:] - logs[:, 2:3, 1:]
    return torch.cat([step, size, step * step, step * size, product, spread, volume], dim=1).float()
