"""The live model says something else than the reference model would for the same input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from typing_extensions import override

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.verdict import Accusation, Side
from plumbline.diagnosis.measure import Measures
from plumbline.diagnosis.null import NO_EVENT
from plumbline.monitoring.watching.detectors.base import Detector

TAILS = (0.95, 0.99)
FAR = 1.25
LEAST = 0.15
"""Nats: of a surrogate that is nearly exact, the tails would be differences of no consequence."""


class SurrogateResidual(Detector):
    """Residual of each class's log-probability, in both directions.

    Whatever the market does, the residual holds the model against the reference model for this
    very input. Watched are the outer twentieth and hundredth of either side of each class, and
    anything a quarter farther out than the reference has ever been.
    """

    name: ClassVar[str] = "surrogate"
    accuses: ClassVar[Accusation] = Side.MODEL

    @override
    def learn(self, reference: Measures) -> FloatArray:
        sides = np.hstack([reference.residual, -reference.residual])
        edges = np.nanquantile(sides, (*TAILS, 1.0), axis=0)
        edges[-1] *= FAR
        least: FloatArray = np.maximum(edges, LEAST)
        return least

    @override
    def events(self, measures: Measures, edges: FloatArray) -> IntArray:
        sides = np.hstack([measures.residual, -measures.residual])
        on = (sides[:, None, :] > edges[None, :, :]).reshape(len(sides), edges.size)
        known = np.isfinite(sides[:, :1])
        return np.where(known, on.astype(np.int8), np.int8(NO_EVENT))

    @override
    def wider(self, bets: int) -> Sequence[int]:
        sides = bets // (len(TAILS) + 1)
        return [max(-1, bet - sides) for bet in range(bets)]
