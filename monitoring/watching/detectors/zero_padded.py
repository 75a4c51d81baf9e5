"""Columns that a client fills with zeros because it does not have them."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from typing_extensions import override

from plumbline.bundle.array import BoolArray, FloatArray, IntArray
from plumbline.bundle.verdict import Accusation, Verdict
from plumbline.diagnosis.measure import Measures
from plumbline.diagnosis.null import NO_EVENT
from plumbline.monitoring.watching.detectors.base import Detector, lasts

LONGER, SPARE = 3.0, 5
"""Times as long, and so many rows more, as zeros ever lasted: padding lasts for ever."""

LASTING = 0.5
"""A column in which zeros go on more often than this is zero for reasons of its own."""


class ZeroPadded(Detector):
    """A column is zero that never was in the reference, or one for far longer than it ever was.

    How long a run of zeros lasts, the market says where zeros are its own: of a column in which
    they are apt to go on, a run longer than any before is no surprise, and it is not watched.
    """

    name: ClassVar[str] = "zero_padded"
    accuses: ClassVar[Accusation] = Verdict.SCHEMA_SKEW

    @override
    def learn(self, reference: Measures) -> FloatArray:
        most = reference.zero_run.max(axis=0).astype(np.float64)
        own = lasts(reference.zero_run) > LASTING
        return np.where(most > 0, np.where(own, np.inf, LONGER * most + SPARE), 0.0)

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
