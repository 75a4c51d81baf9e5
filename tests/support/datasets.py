"""Rows a model can learn from, made of nothing but columns and truths."""

from __future__ import annotations

import numpy as np

from plumbline.training.dataset import Dataset
from tests.support.markets import HOUR, START


def plain_dataset(
    features: np.ndarray, truth: np.ndarray, *, window_length: int, group: np.ndarray | None = None
) -> Dataset:
    """Return one symbol's hours with these features ``(n, f)`` and truths ``(n, outputs)``."""
    n = len(features)
    time = START + HOUR * np.arange(n, dtype=np.int64)
    return Dataset(
        time=time,
        symbol=np.full(n, "WALK"),
        close=np.ones(n),
        features=features.astype(np.float32),
        bars=np.zeros((n, 6)),
        truth=np.asarray(truth, np.float64),
        known_at=time,
        forward_return=np.zeros(n),
        group=np.arange(n) if group is None else group,
        complete=np.arange(n) >= window_length - 1,
        names=tuple(f"column_{i}" for i in range(features.shape[1])),
        window_length=window_length,
        bars_needed=window_length,
    )
