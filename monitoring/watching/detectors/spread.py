"""Outputs that hardly leave their own recent average."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from typing_extensions import override

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.verdict import Accusation, Side
from plumbline.diagnosis.measure import Measures
from plumbline.monitoring.watching.detectors.base import Detector, falls_below, quantiles

LOW = (0.002, 0.01, 0.05)


class Spread(Detector):
    """Distance of the log-probabilities from their exponential average.

    It sees a model that answers the same whatever comes even where the inputs' movement is
    unusual, such as in a replay that jumps.
    """

    name: ClassVar[str] = "spread"
    accuses: ClassVar[Accusation] = Side.MODEL

    @override
    def learn(self, reference: Measures) -> FloatArray:
        return quantiles(reference.spread, LOW)

    @override
    def events(self, measures: Measures, edges: FloatArray) -> IntArray:
        return falls_below(measures.spread, edges)

    @override
    def wider(self, bets: int) -> Sequence[int]:
        return [*range(1, bets), -1]
