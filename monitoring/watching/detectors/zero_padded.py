"""Columns that a client fills with zeros because it does not have them."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from typing_extensions import override

from plumbline.bundle.array import BoolArray, FloatArray, IntArray
from plumbline.bundle.verdict import Accusation, Verdict
from plumbline.diagnosis.measure import Measures
from plumbline.diagnosis.null import NO_EVENT
from plumbline.monitoring.watching.detectors.base import Detector


class ZeroPadded(Detector):
    """A column is zero for longer than it ever was in the reference."""

    name: ClassVar[str] = "zero_padded"
    accuses: ClassVar[Accusation] = Verdict.SCHEMA_SKEW

    @override
    def learn(self, reference: Measures) -> FloatArray:
        most = reference.zero_run.max(axis=0).astype(np.float64)
        return np.where(most > 0, 1.5 * most + 2, 0.0)

    @override
    def events(self, measures: Measures, edges: FloatArray) -> IntArray:
        on = (measures.zero_run > edges).any(axis=1)
        events = np.where(measures.still, np.int8(NO_EVENT), on.astype(np.int8))
        return events[:, None]

    @override
    def columns(self, measures: Measures) -> BoolArray:
        """Return which columns are padded in each row: ``(n, f)``."""
        padded: BoolArray = measures.zero_run > self._edges
        return padded
