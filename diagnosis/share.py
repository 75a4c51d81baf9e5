"""How often each action is taken."""

from __future__ import annotations

import numpy as np

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.finding import Interval
from plumbline.diagnosis.wilson import wilson


def action_counts(actions: IntArray, classes: int) -> IntArray:
    """Return how often each action occurs: ``(n,)`` to ``(classes,) int64``."""
    counts: IntArray = np.bincount(np.asarray(actions, np.int64), minlength=classes)
    return counts


def top_action(actions: IntArray, classes: int) -> tuple[int, float, Interval] | None:
    """Return the most frequent action, its share and Wilson interval; None without rows.

    Ties go to the first class.
    """
    counts = action_counts(actions, classes)
    n = int(counts.sum())
    top = int(counts.argmax())
    interval = wilson(int(counts[top]), n)
    if interval is None:
        return None
    return top, counts[top] / n, interval


def share_entropy(shares: FloatArray) -> float | None:
    """Entropy of shares ``(k,)`` divided by ``log k``: 1 when even, 0 when one holds all."""
    positive = np.asarray(shares, np.float64)
    positive = positive[positive > 0]
    if len(positive) == 0 or len(shares) < 2:
        return None
    return max(0.0, float(-(positive * np.log(positive)).sum() / np.log(len(shares))))
