"""A ranking within a cross-section: only the order counts."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any, ClassVar

import numpy as np
from typing_extensions import override

from plumbline.bundle.array import AnyArray, FloatArray
from plumbline.bundle.calibration import ScoreCalibration
from plumbline.bundle.heads.base import Head
from plumbline.bundle.reading import Reading
from plumbline.bundle.spec import OutputSpec


def normal_scores(values: FloatArray, group: AnyArray | None = None) -> FloatArray:
    """Rank within the group, as quantiles of a normal distribution: ``(n,)`` to ``(n,) float64``.

    Equal values get equal scores, so that a constant is zero throughout; NaN stays NaN and is not
    ranked.

    References
    ----------
    Blom (1958), "Statistical Estimates and Transformed Beta-Variables", section 6:
    ``Φ⁻¹((r - 3/8) / (n + 1/4))``.
    """
    from scipy.special import ndtri  # noqa: PLC0415  # slow to import, and few models rank

    x = np.asarray(values, np.float64)
    codes = np.zeros(len(x), np.int64)
    if group is not None:
        _, codes = np.unique(np.asarray(group), return_inverse=True)
    scores = np.full(len(x), np.nan)
    known = np.flatnonzero(np.isfinite(x))
    if not len(known):
        return scores
    order = known[np.lexsort((x[known], codes[known]))]
    begins = np.append(True, codes[order][1:] != codes[order][:-1])
    start = np.maximum.accumulate(np.where(begins, np.arange(len(order)), 0))
    tied = np.append(True, begins[1:] | (x[order][1:] != x[order][:-1]))
    run = np.cumsum(tied) - 1
    rank = np.arange(len(order)) - start + 1.0
    mean_rank = np.bincount(run, rank) / np.bincount(run)
    size = np.bincount(codes[order], minlength=codes.max() + 1)[codes[order]]
    scores[order] = ndtri((mean_rank[run] - 0.375) / (size + 0.25))
    return scores


class ScoreHead(Head[ScoreCalibration]):
    """One number a row; its normal score within the group is what detectors and policies see."""

    kind: ClassVar[str] = "score"
    calibration_kind = ScoreCalibration

    @classmethod
    @override
    def check(cls, spec: OutputSpec) -> None:
        if spec.width != 1 or spec.choices:
            raise ValueError(f"output {spec.name}: a score is one number a row, without choices")

    @override
    def identity(self) -> ScoreCalibration:
        return ScoreCalibration(rows=0)

    @override
    def read(
        self, raw: FloatArray, calibration: ScoreCalibration, group: AnyArray | None = None
    ) -> Reading:
        numbers = np.asarray(raw, np.float64)[:, :, 0]
        centre = numbers.mean(axis=1, keepdims=True)
        epistemic = np.zeros(len(numbers))
        if numbers.shape[1] > 1:
            each = np.stack([normal_scores(member, group) for member in numbers.T], axis=1)
            epistemic = each.std(axis=1)
        return Reading(centre, epistemic, self.coordinates(centre, calibration, group))

    @override
    def coordinates(
        self, centre: FloatArray, calibration: ScoreCalibration, group: AnyArray | None = None
    ) -> FloatArray:
        return normal_scores(np.asarray(centre)[:, 0], group)[:, None]

    @override
    def fit(
        self,
        raw: FloatArray,
        truth: FloatArray,
        group: AnyArray | None = None,
        *,
        correction: tuple[float, ...] | None = None,
    ) -> ScoreCalibration:
        known = np.isfinite(truth)
        if not known.any():
            raise ValueError("cannot calibrate: no row has a truth")
        if not np.isfinite(raw).all():
            raise ValueError("cannot calibrate: the model gives scores that are not finite")
        score = self.read(raw, self.identity(), group).coordinates[:, 0][known]
        power = float((score**2).mean())
        worth = float((score * np.asarray(truth)[known]).mean())
        return ScoreCalibration(slope=worth / power if power > 0 else 0.0, rows=int(known.sum()))

    @override
    def gain(
        self,
        reading: Reading,
        truth: FloatArray,
        calibration: ScoreCalibration,
        group: AnyArray | None = None,
    ) -> FloatArray:
        product: FloatArray = reading.coordinates[:, 0] * normal_scores(truth, group)
        return product

    @override
    def spread(self, reading: Reading) -> float | None:
        return float(reading.coordinates.std()) if len(reading) > 1 else None

    @override
    def direction(self, reading: Reading) -> FloatArray:
        return np.asarray(reading.coordinates[:, 0])

    @override
    def to_wire(self, reading: Reading, i: int, calibration: ScoreCalibration) -> dict[str, Any]:
        coordinate = float(reading.coordinates[i, 0])
        return {
            "kind": self.kind,
            "score": float(reading.centre[i, 0]),
            "rank": NormalDist().cdf(coordinate),
            "expected": calibration.slope * coordinate,
            "epistemic": float(reading.epistemic[i]),
        }
