"""Columns that stand still while the rest of the input moves."""

from __future__ import annotations

from collections.abc import Sequence
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
        limit = np.where(lasts(reference.stale_run) > LASTING, np.inf, 1.5 * most + SPARE)
        return np.stack(
            [np.where(most > 0, np.inf, float(SPARE)), np.where(most > 0, limit, np.inf)]
        )

    @override
    def events(self, measures: Measures, edges: FloatArray) -> IntArray:
        held = np.where(measures.zero_run == 0, measures.stale_run, 0)
        on = np.stack([(held > each).any(axis=1) for each in edges], axis=1)
        return np.where(measures.still[:, None], np.int8(NO_EVENT), on.astype(np.int8))

    @override
    def lasting(self, bets: int) -> Sequence[float]:
        return [0.0, LASTING]

    @override
    def columns(self, measures: Measures) -> BoolArray:
        """Return which columns are stale in each row: ``(n, f)``."""
        stale: BoolArray = (measures.stale_run > self._edges.min(axis=0)) & (measures.zero_run == 0)
        return stale
