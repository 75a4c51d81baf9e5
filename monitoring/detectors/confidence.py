"""More certain than the reference ever had reason to be."""

from __future__ import annotations

from typing import ClassVar, Literal

from typing_extensions import override

from bundle.array import FloatArray, IntArray
from diagnosis.measure import Measures
from monitoring.detectors.base import Detector, exceeds, quantiles

HIGH = (0.95, 0.99, 0.999)


class Confidence(Detector):
    """Largest probability of a row, against the reference's upper quantiles."""

    name: ClassVar[str] = "confidence"
    subject: ClassVar[Literal["output", "input"]] = "output"

    @override
    def learn(self, reference: Measures) -> FloatArray:
        return quantiles(reference.confidence, HIGH)

    @override
    def events(self, measures: Measures, edges: FloatArray) -> IntArray:
        return exceeds(measures.confidence, edges)
