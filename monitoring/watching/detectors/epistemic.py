"""Members that all say the same, or that agree on nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from typing_extensions import override

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.verdict import Accusation, Side
from plumbline.diagnosis.measure import Measures
from plumbline.monitoring.watching.detectors.base import Detector, exceeds, falls_below, quantiles

LOW = (0.002, 0.01, 0.05)
HIGH = (0.95, 0.99)
GONE = 0.5
"""The part of the reference's least disagreement below which it is gone."""

FAR = 1.5
"""Times the largest disagreement of the reference."""


class Epistemic(Detector):
    """How far the members of an output disagree, against the reference, on both sides.

    Their spread is gone where all have become one, and too large where partners no longer belong
    together: other versions, or other inputs.
    """

    name: ClassVar[str] = "epistemic"
    accuses: ClassVar[Accusation] = Side.MODEL

    @classmethod
    @override
    def watches(cls, reference: Measures) -> bool:
        return bool(np.isfinite(reference.epistemic).any())

    @override
    def learn(self, reference: Measures) -> FloatArray:
        edges = quantiles(reference.epistemic, (0.0, *LOW, *HIGH, 1.0))
        edges[0] *= GONE
        edges[-1] *= FAR
        return edges

    @override
    def events(self, measures: Measures, edges: FloatArray) -> IntArray:
        low = falls_below(measures.epistemic, edges[: 1 + len(LOW)])
        return np.hstack([low, exceeds(measures.epistemic, edges[1 + len(LOW) :])])

    @override
    def wider(self, bets: int) -> Sequence[int]:
        low = 1 + len(LOW)
        return [*range(1, low), -1, -1, *range(low, bets - 1)]
