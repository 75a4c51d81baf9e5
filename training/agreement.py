"""Agreement: a window's own bars must give what the whole history gave.

A row that needs a later bar, or one older than the feature set's memory, cannot be the same when
only the bars of its window are there. So one comparison, made on the user's own bars in every
training, proves what else would have to be believed: no column looks ahead, and a client who sends
`bars_needed` bars is shown what the model was taught.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from plumbline.bundle.array import FloatArray
from plumbline.training.bars import Bars
from plumbline.training.errors import FeatureError
from plumbline.training.feature_sets import FeatureSet
from plumbline.training.feature_table import bar_array, compute

TOLERANCE: Final = 1e-4
"""Largest difference allowed, in standard deviations of the column."""

BUDGET: Final = 400_000
"""Bars computed in a check, so that it takes a second whatever the memory and the history."""

_BATCH = 20_000
_SMALLEST_SCALE = 1e-9


@dataclass(frozen=True)
class Agreement:
    """How far windows and whole history are apart.

    Attributes
    ----------
    columns
        Largest difference of each column by name, in its standard deviations; infinite where a
        window gives no number.
    windows
        How many were compared.
    """

    columns: dict[str, float]
    windows: int

    @property
    def worst(self) -> tuple[str, float]:
        """Name and difference of the column that agrees least."""
        return max(self.columns.items(), key=lambda item: item[1])


def measure_agreement(
    feature_set: FeatureSet[Any],
    bars: Bars,
    table: FloatArray,
    window_length: int,
    *,
    budget: int = BUDGET,
) -> Agreement:
    """Compute windows from their own bars and compare them with the table.

    Parameters
    ----------
    feature_set, bars
        What made the table, and of what.
    table : (n, f) float32
        Of the whole history, from `build_table`.
    window_length
        Rows in a window.
    budget
        Bars to compute at most; windows are spread evenly over those that are whole.
    """
    needed = feature_set.bars_needed(window_length)
    whole = max(len(bars) - needed + 1, 0)
    largest = np.zeros(table.shape[1])
    if not whole:
        return Agreement(dict(zip(feature_set.names, largest.tolist(), strict=True)), 0)
    count = min(whole, max(budget // needed, 1))
    starts = np.unique(np.linspace(0, whole - 1, count).round().astype(int))
    raw = sliding_window_view(bar_array(bars), needed, axis=0)
    scale = table[feature_set.memory :].std(axis=0, dtype=np.float64)
    scale[scale < _SMALLEST_SCALE] = 1.0
    step = max(_BATCH // needed, 1)
    for begin in range(0, count, step):
        rows = starts[begin : begin + step]
        found = compute(feature_set, np.ascontiguousarray(raw[rows].transpose(0, 2, 1)))
        ends = rows[:, None] + np.arange(needed - window_length, needed)
        apart = np.abs(found.astype(np.float64) - table[ends]).max(axis=(0, 1)) / scale
        largest = np.maximum(largest, np.where(np.isfinite(apart), apart, np.inf))
    columns = dict(zip(feature_set.names, largest.tolist(), strict=True))
    return Agreement(columns, len(starts))


def check_agreement(
    feature_set: FeatureSet[Any],
    bars: Bars,
    table: FloatArray,
    window_length: int,
    *,
    budget: int = BUDGET,
) -> Agreement:
    """Measure agreement as `measure_agreement` does, and refuse a feature set that lacks it.

    Raises
    ------
    FeatureError
        Naming the column that agrees least.
    """
    found = measure_agreement(feature_set, bars, table, window_length, budget=budget)
    name, apart = found.worst
    if not apart <= TOLERANCE:
        needed = feature_set.bars_needed(window_length)
        raise FeatureError(
            f"{bars.symbol}: {name!r} is {apart:.2g} standard deviations different when computed "
            f"from the {needed} bars of its window, allowed are {TOLERANCE:g}: it looks at later "
            f"bars, or further back than the {feature_set.memory} that its `memory` says"
        )
    return found
