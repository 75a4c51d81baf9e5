"""What the status page draws: a bounded past of shares, spread and evidence.

Every statistic is the one of `diagnosis`, over the newest 200 rows, and drawn against the same
statistic of the reference.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from plumbline.bundle.archive import Bundle
from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.record import Record
from plumbline.diagnosis.evidence import Evidence
from plumbline.diagnosis.share import action_counts
from plumbline.diagnosis.spread import probability_spread
from plumbline.monitoring.watching.watcher import Judgement
from plumbline.store.prediction import PredictionBatch

WINDOW = 200
POINTS = 240


class Point(Record):
    """The newest rows, at one row of the watch."""

    row: int
    shares: tuple[float, ...]
    spread: float | None
    confidence: float
    evidence: dict[str, float]


class Chart:
    """The points of one version's watch; the oldest are dropped."""

    def __init__(self, bundle: Bundle) -> None:
        reference = bundle.reference
        self.reference_shares = tuple(float(share) for share in reference.action_shares)
        self.reference_spread = probability_spread(reference.probabilities)
        self.points: deque[Point] = deque(maxlen=POINTS)
        self._classes = len(bundle.manifest.classes)
        self._row = 0
        self._actions: IntArray = np.empty(0, np.int8)
        self._probabilities: FloatArray = np.empty((0, self._classes), np.float32)

    def add(self, rows: PredictionBatch, judgement: Judgement) -> None:
        """Add one point: the state after these rows."""
        self._row += len(rows)
        self._actions = np.concatenate([self._actions, rows.action])[-WINDOW:]
        self._probabilities = np.concatenate([self._probabilities, rows.probabilities])[-WINDOW:]
        counts = action_counts(self._actions, self._classes)
        self.points.append(
            Point(
                row=self._row,
                shares=tuple(float(share) for share in counts / len(self._actions)),
                spread=probability_spread(self._probabilities),
                confidence=float(self._probabilities.max(axis=1).mean()),
                evidence={item.detector: progress(item) for item in judgement.evidence},
            )
        )


def progress(evidence: Evidence) -> float:
    """Return evidence as a share of what an alarm needs, between 0 and 2."""
    ratio = evidence.log_e / evidence.threshold if evidence.threshold > 0 else 0.0
    return min(max(ratio, 0.0), 2.0) if math.isfinite(ratio) else 0.0
