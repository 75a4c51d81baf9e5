"""The same input window again, or one that hardly moves."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from typing_extensions import override

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.verdict import Accusation, Verdict
from plumbline.diagnosis.measure import Measures
from plumbline.diagnosis.null import NO_EVENT
from plumbline.monitoring.watching.detectors.base import Detector

HARDLY = 0.25


class Frozen(Detector):
    """Identical windows, or steps below a quarter of the smallest in the reference."""

    name: ClassVar[str] = "frozen"
    accuses: ClassVar[Accusation] = Verdict.FROZEN_FEED

    @override
    def learn(self, reference: Measures) -> FloatArray:
        step = reference.input_step
        moves = step[np.isfinite(step) & (step > 0)]
        return np.array([HARDLY * moves.min() if len(moves) else 0.0])

    @override
    def events(self, measures: Measures, edges: FloatArray) -> IntArray:
        hardly = measures.input_step < edges[0]
        on = (measures.still | hardly).astype(np.int8)
        events = np.where(measures.first, np.int8(NO_EVENT), on)
        return events[:, None]
