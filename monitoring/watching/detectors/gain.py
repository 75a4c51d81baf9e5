"""Outputs that follow the inputs too little, or too much."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from typing_extensions import override

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.verdict import Accusation, Side
from plumbline.diagnosis.measure import Measures
from plumbline.monitoring.watching.detectors.base import Detector, exceeds, falls_below, quantiles

LOW = (0.002, 0.01, 0.05, 0.20)
HIGH = (0.80, 0.95, 0.995)
FAR = 1.5
"""Times the largest gain of the reference."""


class Gain(Detector):
    """Movement of the log-probabilities per unit of input movement.

    The leading statistic: nearly free of regime and volatility, and undefined where the input does
    not move, so that it cannot blame the model for the feed.
    """

    name: ClassVar[str] = "gain"
    accuses: ClassVar[Accusation] = Side.MODEL

    @override
    def learn(self, reference: Measures) -> FloatArray:
        edges = quantiles(reference.gain, (*LOW, *HIGH, 1.0))
        edges[-1] *= FAR
        return edges

    @override
    def events(self, measures: Measures, edges: FloatArray) -> IntArray:
        low = falls_below(measures.gain, edges[: len(LOW)])
        return np.hstack([low, exceeds(measures.gain, edges[len(LOW) :])])

    @override
    def wider(self, bets: int) -> Sequence[int]:
        low, high = len(LOW), bets
        return [*range(1, low), -1, -1, *range(low, high - 1)]
