"""Bit-identical outputs while the input moves."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from typing_extensions import override

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.verdict import Accusation, Side
from plumbline.diagnosis.measure import Measures
from plumbline.diagnosis.null import NO_EVENT
from plumbline.monitoring.watching.detectors.base import Detector


class Repeats(Detector):
    """The same answer, to the last bit, to a different question."""

    name: ClassVar[str] = "repeats"
    accuses: ClassVar[Accusation] = Side.MODEL

    @override
    def learn(self, reference: Measures) -> FloatArray:
        return np.empty(0)

    @override
    def events(self, measures: Measures, edges: FloatArray) -> IntArray:
        moved = np.isfinite(measures.gain)
        events = np.where(moved, measures.same_output.astype(np.int8), np.int8(NO_EVENT))
        return events[:, None]
