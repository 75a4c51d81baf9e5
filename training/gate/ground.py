"""What the gate knows beside the validation rows: older rows, and what the model says of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from plumbline.bundle.array import BoolArray, FloatArray, IntArray
from plumbline.bundle.reading import Reading

MOST_ASKED = 3_000
"""Newest rows that taught the weights, of which the model is asked as well."""
MOST_ROWS = 40_000
"""Newest older rows that simple rivals learn from."""


@dataclass(frozen=True)
class Ground:
    """Rows older than those of the validation, from which simple rivals of the model learn.

    Attributes
    ----------
    features : (n, f) floating
        Last step of each window.
    truth : (n, outputs) floating
        NaN where masked.
    bar_time : (n,) int64
    symbol : (n,) str
    group : (n,)
        Which rows are one cross-section.
    taught : (n,) bool
        Which of them taught the weights; none is known of a model from outside.
    asked : (m,) int64
        Places of those the model was asked about.
    readings
        By output: what it said of them.
    """

    features: FloatArray
    truth: FloatArray
    bar_time: IntArray
    symbol: np.ndarray
    group: np.ndarray
    taught: BoolArray
    asked: IntArray
    readings: Mapping[str, Reading]

    def __len__(self) -> int:
        return len(self.bar_time)
