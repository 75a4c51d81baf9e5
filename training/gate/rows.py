"""Rows as the judgement sees them: raw numbers read and decided, and what is known of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from plumbline.bundle.array import FloatArray
from plumbline.bundle.outputs import Outputs
from plumbline.diagnosis.sample import Sample

Answer = Callable[[Mapping[str, FloatArray]], FloatArray]
"""From named inputs, rows first, to raw numbers ``(m, Σ members · width)``."""


def sample_of(
    raw: FloatArray,
    outputs: Outputs,
    *,
    features: FloatArray | None,
    truth: FloatArray | None = None,
    group: np.ndarray | None = None,
    bar_time: np.ndarray | None = None,
    symbol: np.ndarray | None = None,
    inputs_hash: np.ndarray | None = None,
) -> Sample:
    """Return rows as the judgement sees them: raw numbers read, decided, and what is known."""
    readings = outputs.read(raw, group)
    return Sample(
        readings=readings,
        action=outputs.decide(readings, group).action,
        features=features,
        truth=truth,
        group=group,
        bar_time=bar_time,
        symbol=symbol,
        inputs_hash=inputs_hash,
    )
