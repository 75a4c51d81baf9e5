"""What feature sets are made of: sums, extremes and phases with a finite memory, as tensor code.

Time is the last axis, channels stand before it: ``(n, channels, time)``. Three rules keep a column
the same in a window and in the whole history, to single precision:

- Logarithms and their differences are taken in double precision, then *changes* are summed in
  single precision: a level of 10 leaves no digits for a movement of a millionth.
- Sums are convolutions with a finite kernel, not differences of running totals: a market that
  stands still gives exactly zero, and rounding does not depend on where the history began.
- Exponential averages are cut off and renormalised. Wilder's smoothing remembers for ever.

All columns that are sums share one convolution: in the served graph, the number of steps counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import cast

import torch
from torch import nn
from torch.nn import functional

Kernel = tuple[float, ...]
"""Weights of the newest values, the newest first."""

TINY, FLOOR = 1e-20, 1e-8
"""Least divisor, least level. Clamped, not added: the ONNX exporter takes `x + 1e-8` for `x`."""

DAY, WEEK = 86_400, 604_800


def total(width: int) -> Kernel:
    """Sum the newest values."""
    return (1.0,) * width


def mean(width: int) -> Kernel:
    """Average the newest values."""
    return (1.0 / width,) * width


def value(lag: int = 0) -> Kernel:
    """Take the value of ``lag`` rows ago."""
    return (0.0,) * lag + (1.0,)


def exponential(span: float, width: int) -> Kernel:
    """Average with weights that fall by ``1 - 2 / (span + 1)`` a row, cut off after ``width``."""
    weights = [(1 - 2 / (span + 1)) ** lag for lag in range(width)]
    return tuple(weight / sum(weights) for weight in weights)


def of_changes(plus: Kernel, minus: Kernel) -> Kernel:
    """Express the difference of two averages of a series by the changes of that series.

    Examples
    --------
    The value now against that of two rows ago is the sum of two changes; now against the mean of
    three, the newest change counts two thirds and the one before a third.

    >>> of_changes(value(), value(2))
    (1.0, 1.0)
    >>> [round(weight, 3) for weight in of_changes(value(), mean(3))]
    [0.667, 0.333]
    """
    length = max(len(plus), len(minus))
    levels = [
        a - b
        for a, b in zip(
            plus + (0.0,) * (length - len(plus)),
            minus + (0.0,) * (length - len(minus)),
            strict=True,
        )
    ]
    if abs(sum(levels)) > 1e-9:
        raise ValueError(
            f"the weights of a difference must add up to 0, these give {sum(levels):g}"
        )
    return tuple(accumulate(levels))[:-1]


class Trailing(nn.Module):  # type: ignore[misc]  # torch comes without types here
    """Weighted sums of the newest values of several series, all in one convolution.

    Parameters
    ----------
    blocks
        For each series the kernels wanted of it, in blocks that are used together.
    """

    def __init__(self, blocks: Sequence[Sequence[Sequence[Kernel]]]) -> None:
        super().__init__()
        kernels = [[kernel for block in series for kernel in block] for series in blocks]
        self.width = max(len(kernel) for series in kernels for kernel in series)
        most = max(map(len, kernels))
        weights = torch.zeros(len(kernels), most, self.width, dtype=torch.float64)
        for row, series in enumerate(kernels):
            for place, kernel in enumerate(series):
                weights[row, place, : len(kernel)] = torch.tensor(kernel, dtype=torch.float64)
        oldest_first = weights.flip(-1).reshape(-1, 1, self.width).float()
        self.register_buffer("weights", oldest_first, persistent=False)
        self._groups = len(kernels)
        self._parts: list[tuple[int, bool]] = []  # sizes; false for what only fills a group up
        for each in blocks:
            filling = most - sum(map(len, each))
            self._parts += [*((len(block), True) for block in each), (filling, False)]
        self._parts = [part for part in self._parts if part[0]]

    def forward(self, series: torch.Tensor) -> list[torch.Tensor]:
        """Sum the newest values of each row that has them all.

        Parameters
        ----------
        series : (n, s, t) float32

        Returns
        -------
        One tensor a block (n, kernels, t - width + 1) float32
        """
        weights = cast(torch.Tensor, self.weights)
        sums = functional.conv1d(series, weights, groups=self._groups)
        if len(self._parts) == 1:
            return [sums]
        parts = sums.split([size for size, _ in self._parts], dim=1)
        return [part for part, (_, wanted) in zip(parts, self._parts, strict=True) if wanted]


def newest(series: torch.Tensor, count: int) -> torch.Tensor:
    """Return the newest values of each series; no step of the graph where those are all."""
    return series if series.shape[-1] == count else series[..., -count:]


def highest(series: torch.Tensor, widths: Sequence[int]) -> list[torch.Tensor]:
    """Return the highest of the newest values, for widths of which each divides the next.

    Parameters
    ----------
    series : (n, c, t)
        The lowest is minus the highest of minus the series.

    Returns
    -------
    For each width (n, c, t - width + 1), like the series
    """
    found = []
    done = 1
    for width in widths:
        if width % done:
            raise ValueError(f"each width must divide the next, {done} does not divide {width}")
        series = _highest(series, width // done, done)
        found.append(series)
        done = width
    return found


def _highest(series: torch.Tensor, count: int, distance: int) -> torch.Tensor:
    """Return the highest of ``count`` values so far apart, in two steps where that pays."""
    first = max((each for each in range(1, math.isqrt(count) + 1) if count % each == 0), default=1)
    if first > 1 and count >= 12:
        series = functional.max_pool1d(series, first, 1, dilation=distance)
        count, distance = count // first, distance * first
    return functional.max_pool1d(series, count, 1, dilation=distance)


def ratio(part: torch.Tensor, whole: torch.Tensor) -> torch.Tensor:
    """Divide by what is never negative; where it is zero, as in a bar without movement, give 0.

    The part has to be zero where the whole is.
    """
    return part / whole.clamp(min=TINY)


def logarithm(level: torch.Tensor) -> torch.Tensor:
    """Return the logarithm of a level that is not negative; of a market that stands still, -18."""
    return torch.log(level.clamp(min=FLOOR))


class Clock(nn.Module):  # type: ignore[misc]  # torch comes without types here
    """Sine and cosine of the phase of a bar in each period, UTC; weeks begin on Thursday.

    The phase is that of a moment a third into the bar: there no value is zero and no two
    neighbours are equal.
    """

    def __init__(self, periods: Sequence[int], bar_seconds: float) -> None:
        super().__init__()
        rate = [2 * math.pi / period for period in periods for _ in range(2)]
        quarter = [0.0, math.pi / 2] * len(periods)
        shift = [bar_seconds / 3 * a + b for a, b in zip(rate, quarter, strict=True)]
        for name, values in (("rate", rate), ("shift", shift)):
            row = torch.tensor(values, dtype=torch.float64)
            self.register_buffer(name, row, persistent=False)

    def forward(self, time: torch.Tensor) -> torch.Tensor:
        """Turn ``(n, t, 1) float64`` seconds into ``(n, t, 2 x periods) float32``."""
        rate, shift = cast(torch.Tensor, self.rate), cast(torch.Tensor, self.shift)
        return torch.sin(time * rate + shift).float()
