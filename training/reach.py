"""How long a column shows a bar, found by changing one and looking.

A feature set says how far it looks back at most; its columns look back one bar, or a hundred. Who
wants to know whether a difference can be the trace of one revised bar must know it of each.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from plumbline.bundle.array import BoolArray, FloatArray, IntArray
from plumbline.training.feature_sets import FeatureSet
from plumbline.training.feature_table import compute

_HOUR: Final = 3_600
_START: Final = 1_500_000_000
_SEEN: Final = 1e-3
"""Of the scale of a column: less counts as nothing wherever columns are compared."""


def measure_reach(feature_set: FeatureSet[Any], scale: FloatArray) -> IntArray:
    """Return in how many rows one bar shows, its own among them: ``(f,)``, at least 1.

    Parameters
    ----------
    feature_set
        Is applied to a random walk, of which one bar is made much higher, lower and busier.
    scale : (f,) float64
        In which differences of each column are counted.
    """
    memory = feature_set.memory
    bars = _walk(2 * memory + 2)
    changed = bars.copy()
    place = memory
    changed[place, 2:6] *= (1.3, 0.75, 1.1, 20.0)
    before, after = (compute(feature_set, each[None])[0] for each in (bars, changed))
    differs: BoolArray = ~(np.abs(after.astype(np.float64) - before) <= _SEEN * scale)
    rows = np.arange(1, len(before) + 1)[:, None]
    reach: IntArray = np.maximum((differs * rows).max(axis=0), 1)
    return reach


def _walk(rows: int) -> FloatArray:
    """Return bars ``(rows, 6)`` of a random walk."""
    rng = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.002, rows)))
    opened = np.concatenate([close[:1], close[:-1]])
    top, bottom = np.maximum(opened, close), np.minimum(opened, close)
    wicks = np.abs(rng.normal(0, 0.001, (2, rows)))
    time = _START + _HOUR * np.arange(rows)
    volume = np.exp(rng.normal(8, 0.5, rows))
    columns = (time, opened, top * (1 + wicks[0]), bottom * (1 - wicks[1]), close, volume)
    return np.stack(columns, axis=1).astype(np.float64)
