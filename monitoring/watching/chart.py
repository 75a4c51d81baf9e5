"""What the status page draws: a bounded past of shares, spread and evidence.

Every statistic is the one of `diagnosis`, over the newest 200 rows, and drawn against the same
statistic of the reference: of all of it, and of its own stretches of 200 rows (`Band`).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from datetime import datetime

import numpy as np
from pydantic import Field

from plumbline.bundle.archive import Bundle
from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.moment import moment_of
from plumbline.bundle.reading import Reading, joined
from plumbline.bundle.record import Record
from plumbline.bundle.reference import ReferenceProfile
from plumbline.diagnosis.evidence import Evidence, by_name
from plumbline.diagnosis.sample import read_reference
from plumbline.diagnosis.share import action_counts
from plumbline.monitoring.drift_threshold import in_time_order
from plumbline.monitoring.watching.judgement import Judgement
from plumbline.store.prediction import PredictionBatch

WINDOW = 200
POINTS = 240
_STRETCHES = 200
_ENDS = (1, 99)
_MOST_SHIFTS = 3


class Point(Record):
    """The newest rows, at one row of the watch."""

    row: int
    time: datetime = Field(description="When that row was answered.")
    shares: tuple[float, ...]
    spread: float | None
    evidence: dict[str, float]


class Band(Record):
    """Between what a statistic of 200 rows was in 98 of 100 stretches of the reference."""

    low: float
    high: float

    def holds(self, value: float) -> bool:
        """Whether a value is nothing new."""
        return self.low <= value <= self.high


class Shift(Record):
    """How far a column's mean over the newest rows is from that of the reference."""

    column: str
    deviations: float = Field(description="In standard deviations of the reference.")


class Chart:
    """The points of one version's watch; the oldest are dropped.

    Attributes
    ----------
    actions, reference_shares, share_bands
        Of the policy, and how often the reference gives each: in all, and by stretches.
    reference_spread, spread_band
        Of the deciding output, likewise. No bands where the reference is short of two stretches.
    points
        The newest.
    """

    def __init__(self, bundle: Bundle) -> None:
        outputs, reference = bundle.outputs, bundle.reference
        readings = read_reference(reference, outputs)
        self.actions = outputs.policy.actions
        shares = reference.action_shares(len(self.actions))
        self.reference_shares = tuple(float(share) for share in shares)
        self.reference_spread = outputs.heads[outputs.primary].spread(readings[outputs.primary])
        self.share_bands: tuple[Band, ...] = ()
        self.spread_band: Band | None = None
        self.points: deque[Point] = deque(maxlen=POINTS)
        self._names = bundle.manifest.feature_names
        self._mean = reference.features.mean(axis=0, dtype=np.float64)
        self._deviation = reference.features.std(axis=0, dtype=np.float64)
        self._features: FloatArray = np.empty((0, len(self._names)), np.float32)
        self._outputs = outputs
        self._row = 0
        self._action: IntArray = np.empty(0, np.int8)
        self._primary: Reading | None = None
        self._shifts: tuple[Shift, ...] | None = None
        self._measure(reference)

    def _measure(self, reference: ReferenceProfile) -> None:
        """Learn the bands from stretches of the reference, as a live stream would show them."""
        if len(reference) < 2 * WINDOW:
            return
        past = in_time_order(reference, np.unique(reference.symbol))
        reading = read_reference(past, self._outputs)[self._outputs.primary]
        spread = self._outputs.heads[self._outputs.primary].spread
        starts = np.linspace(0, len(past) - WINDOW, _STRETCHES).astype(int)
        parts = [slice(start, start + WINDOW) for start in np.unique(starts).tolist()]
        spreads = [spread(reading.take(part)) for part in parts]
        self.spread_band = _band([value for value in spreads if value is not None])
        if self.actions:
            counts = [action_counts(past.action[part], len(self.actions)) for part in parts]
            shares = np.stack(counts) / WINDOW
            self.share_bands = tuple(_band(column) for column in shares.T)

    def add(self, rows: PredictionBatch, judgement: Judgement) -> None:
        """Add one point: the state after these rows, whose cross-sections are whole."""
        self._row += len(rows)
        self._shifts = None
        self._action = np.concatenate([self._action, rows.action])[-WINDOW:]
        self._features = np.concatenate([self._features, rows.features])[-WINDOW:]
        primary = self._outputs.primary
        newest = self._outputs.restore(rows.centre, rows.epistemic, rows.group)[primary]
        past = [newest] if self._primary is None else [self._primary, newest]
        self._primary = joined(past).take(slice(-WINDOW, None))
        counts = action_counts(self._action, len(self.actions)) if self.actions else ()
        self.points.append(
            Point(
                row=self._row,
                time=moment_of(int(rows.time[-1])),
                shares=tuple(float(count / len(self._action)) for count in counts),
                spread=self._outputs.heads[primary].spread(self._primary),
                evidence={
                    name: progress(each) for name, each in by_name(judgement.evidence).items()
                },
            )
        )

    @property
    def newest(self) -> Point | None:
        """The newest point."""
        return self.points[-1] if self.points else None

    @property
    def shifts(self) -> tuple[Shift, ...]:
        """The columns whose newest rows are farthest from the reference, the farthest first."""
        if self._shifts is None:
            self._shifts = self._find_shifts()
        return self._shifts

    def _find_shifts(self) -> tuple[Shift, ...]:
        moving = np.flatnonzero(self._deviation > 0)
        if len(self._features) == 0 or len(moving) == 0:
            return ()
        means = self._features[:, moving].mean(axis=0, dtype=np.float64)
        away = (means - self._mean[moving]) / self._deviation[moving]
        return tuple(
            Shift(column=self._names[moving[place]], deviations=float(away[place]))
            for place in np.argsort(-np.abs(away))[:_MOST_SHIFTS].tolist()
        )


def _band(values: Sequence[float] | FloatArray) -> Band:
    low, high = np.percentile(np.asarray(values, np.float64), _ENDS) if len(values) else (0.0, 0.0)
    return Band(low=float(low), high=float(high))


def progress(evidence: Evidence) -> float:
    """Return evidence as a share of what an alarm needs, between 0 and 2."""
    ratio = evidence.log_e / evidence.threshold if evidence.threshold > 0 else 0.0
    return min(max(ratio, 0.0), 2.0) if math.isfinite(ratio) else 0.0
