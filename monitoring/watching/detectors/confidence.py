"""More certain than the reference ever had reason to be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from typing_extensions import override

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.verdict import Accusation, Side
from plumbline.diagnosis.measure import Measures
from plumbline.monitoring.watching.detectors.base import Detector, exceeds, quantiles

HIGH = (0.95, 0.99, 0.999)
CLOSER = 0.25
"""The part of the reference's least doubt that is left in the last event."""


class Confidence(Detector):
    """Largest probability of a row, against the reference's upper quantiles."""

    name: ClassVar[str] = "confidence"
    accuses: ClassVar[Accusation] = Side.MODEL

    @override
    def learn(self, reference: Measures) -> FloatArray:
        beyond = 1 - CLOSER * (1 - reference.confidence.max())
        edges: FloatArray = np.append(quantiles(reference.confidence, HIGH), beyond)
        return edges

    @override
    def events(self, measures: Measures, edges: FloatArray) -> IntArray:
        return exceeds(measures.confidence, edges)

    @override
    def wider(self, bets: int) -> Sequence[int]:
        return range(-1, bets - 1)
