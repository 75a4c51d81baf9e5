"""Columns that stand still while the rest of the input moves."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from typing_extensions import override

from plumbline.bundle.array import BoolArray, FloatArray, IntArray
from plumbline.bundle.verdict import Accusation, Verdict
from plumbline.diagnosis.measure import Measures
from plumbline.diagnosis.null import NO_EVENT
from plumbline.monitoring.watching.detectors.base import Detector, lasts

SPARE = 3
"""Rows that any column may keep its value for, beyond half as long again as in the reference."""


LASTING = 0.5
"""A column that keeps its value more often than this does so for reasons of its own."""


class Stale(Detector):
    """A column keeps its value that never did in the reference, or for longer than it ever did.

    Frozen rows are left to the detector of frozen inputs, zeros to that of padding. A value at the
    edge of what the reference has seen is no sign: a bounded column is pinned there by a trend.
    """

    name: ClassVar[str] = "stale"
    accuses: ClassVar[Accusation] = Verdict.STALE_FEATURES

    @override
    def learn(self, reference: Measures) -> FloatArray:
        most = reference.stale_run.max(axis=0).astype(np.float64)
        own = lasts(reference.stale_run) > LASTING
        return np.where((most > 0) & own, np.inf, 1.5 * most + SPARE)

    @override
    def events(self, measures: Measures, edges: FloatArray) -> IntArray:
        on = np.asarray(self._stale(measures, edges).any(axis=1))
        events = np.where(measures.still, np.int8(NO_EVENT), on.astype(np.int8))
        return events[:, None]

    @override
    def columns(self, measures: Measures) -> BoolArray:
        """Return which columns are stale in each row: ``(n, f)``."""
        return self._stale(measures, self._edges)

    @staticmethod
    def _stale(measures: Measures, edges: FloatArray) -> BoolArray:
        stale: BoolArray = (measures.stale_run > edges) & (measures.zero_run == 0)
        return stale
