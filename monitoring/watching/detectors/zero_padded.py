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

SEVERAL = 3
"""Columns that never were zero, and all are: no market does that, unless it is under stress."""


class ZeroPadded(Detector):
    """Several columns are zero that never were in the reference, or one for far too long.

    How long zeros last, the market says where they are its own: a rolling column that comes out at
    zero stays there while its window moves on. That holds of a column, too, that by chance never
    was zero in the reference: how long its zeros may last, those of the other columns tell. Of a
    column in which they are apt to go on, a run longer than any before is no surprise, and it is
    not watched.
    """

    name: ClassVar[str] = "zero_padded"
    accuses: ClassVar[Accusation] = Verdict.SCHEMA_SKEW

    @override
    def learn(self, reference: Measures) -> FloatArray:
        """Return rows that a column may be zero alone, and together with others: ``(2, f)``."""
        most = reference.zero_run.max(axis=0).astype(np.float64)
        own = (most > 0) & (lasts(reference.zero_run) > LASTING)
        longest = most[~own].max(initial=0.0)
        alone = LONGER * np.where(most > 0, most, longest) + SPARE
        return np.array([np.where(own, np.inf, alone), np.where(most > 0, np.inf, 0.0)])

    @override
    def events(self, measures: Measures, edges: FloatArray) -> IntArray:
        on = _padded(measures, edges).any(axis=1)
        events = np.where(measures.still, np.int8(NO_EVENT), on.astype(np.int8))
        return events[:, None]

    @override
    def columns(self, measures: Measures) -> BoolArray:
        """Return which columns are padded in each row: ``(n, f)``."""
        return _padded(measures, self._edges)


def _padded(measures: Measures, edges: FloatArray) -> BoolArray:
    alone, together = edges
    several = max(2, min(SEVERAL, len(alone)))
    company = measures.zero_run > together
    known = company.sum(axis=1, keepdims=True) >= several
    padded: BoolArray = (measures.zero_run > alone) | (company & known)
    return padded
