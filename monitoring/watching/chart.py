"""What the status page draws: a bounded past of shares, spread and evidence.

Every statistic is the one of `diagnosis`, over the newest 200 rows, and drawn against the same
statistic of the reference.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from plumbline.bundle.archive import Bundle
from plumbline.bundle.array import IntArray
from plumbline.bundle.reading import Reading, joined
from plumbline.bundle.record import Record
from plumbline.diagnosis.evidence import Evidence, by_name
from plumbline.diagnosis.sample import read_reference
from plumbline.diagnosis.share import action_counts
from plumbline.monitoring.watching.judgement import Judgement
from plumbline.store.prediction import PredictionBatch

WINDOW = 200
POINTS = 240


class Point(Record):
    """The newest rows, at one row of the watch."""

    row: int
    shares: tuple[float, ...]
    spread: float | None
    evidence: dict[str, float]


class Chart:
    """The points of one version's watch; the oldest are dropped."""

    def __init__(self, bundle: Bundle) -> None:
        outputs, reference = bundle.outputs, bundle.reference
        readings = read_reference(reference, outputs)
        self.actions = outputs.policy.actions
        shares = reference.action_shares(len(self.actions))
        self.reference_shares = tuple(float(share) for share in shares)
        self.reference_spread = outputs.heads[outputs.primary].spread(readings[outputs.primary])
        self.points: deque[Point] = deque(maxlen=POINTS)
        self._outputs = outputs
        self._row = 0
        self._action: IntArray = np.empty(0, np.int8)
        self._primary: Reading | None = None

    def add(self, rows: PredictionBatch, judgement: Judgement) -> None:
        """Add one point: the state after these rows, whose cross-sections are whole."""
        self._row += len(rows)
        self._action = np.concatenate([self._action, rows.action])[-WINDOW:]
        primary = self._outputs.primary
        newest = self._outputs.restore(rows.centre, rows.epistemic, rows.group)[primary]
        past = [newest] if self._primary is None else [self._primary, newest]
        self._primary = joined(past).take(slice(-WINDOW, None))
        counts = action_counts(self._action, len(self.actions)) if self.actions else ()
        self.points.append(
            Point(
                row=self._row,
                shares=tuple(float(count / len(self._action)) for count in counts),
                spread=self._outputs.heads[primary].spread(self._primary),
                evidence={
                    name: progress(each) for name, each in by_name(judgement.evidence).items()
                },
            )
        )


def progress(evidence: Evidence) -> float:
    """Return evidence as a share of what an alarm needs, between 0 and 2."""
    ratio = evidence.log_e / evidence.threshold if evidence.threshold > 0 else 0.0
    return min(max(ratio, 0.0), 2.0) if math.isfinite(ratio) else 0.0
