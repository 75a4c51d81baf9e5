"""Columns that no longer relate to each other as they did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from typing_extensions import override

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.verdict import Accusation, Side
from plumbline.diagnosis.measure import Measures
from plumbline.monitoring.watching.detectors.base import Detector, lasts

AT_LEAST = (1, 2, 4)
"""Columns that lie farther from what the others say of them than the reference ever did."""

UNUSUAL = (0.95, 0.99, 1.0)
"""Quantiles of the number of columns beyond their own outer two hundredth; and one more."""


SPARE = 10
"""Rows for which one column may be unusual, beyond three times as long as in the reference."""


DOUBT = 0.1
"""Added to the share in which an unusual column stays so: the reference has few such runs."""


class ColumnRelation(Detector):
    """How many columns of a row are not what the others say of them, or one for how long.

    An alarm is a doubt, and names nobody: a market that was never seen moves relations as well.
    What it is, `diagnosis` must find in two stretches of the rows since. So a run that is longer
    than ever is doubted at once, though a reference cannot tell how long such a run may last.
    """

    name: ClassVar[str] = "relation"
    accuses: ClassVar[Accusation] = Side.CLIENT

    @override
    def learn(self, reference: Measures) -> FloatArray:
        usual = np.quantile(reference.unusual, UNUSUAL)
        usual[-1] += 1
        longest = 3.0 * reference.unusual_run.max(axis=0) + SPARE
        return np.concatenate([np.array(AT_LEAST) - 0.5, usual, longest])

    @override
    def wider(self, bets: int) -> Sequence[int]:
        usual = len(AT_LEAST)
        return [usual, *range(usual - 1), -1, *range(usual, bets - 2), -1]

    @override
    def lasting(self, reference: Measures, bets: int) -> Sequence[float]:
        goes_on = min(1.0, float(lasts(reference.unusual_run).max()) + DOUBT)
        usual = len(AT_LEAST)
        return [goes_on if bet < usual else 0.0 for bet in range(bets)]

    @override
    def events(self, measures: Measures, edges: FloatArray) -> IntArray:
        far = measures.far[:, None] > edges[: len(AT_LEAST)]
        counts = len(AT_LEAST) + len(UNUSUAL)
        unusual = measures.unusual[:, None] > edges[len(AT_LEAST) : counts]
        lasting = np.asarray((measures.unusual_run > edges[counts:]).any(axis=1))
        return np.hstack([far, unusual, lasting[:, None]]).astype(np.int8)
