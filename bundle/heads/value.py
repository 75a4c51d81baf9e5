"""A forecast of a number: mean and, where the model gives one, deviation."""

from __future__ import annotations

from math import pi, sqrt
from typing import Any, ClassVar

import numpy as np
from typing_extensions import override

from plumbline.bundle.array import AnyArray, FloatArray
from plumbline.bundle.calibration import ValueCalibration
from plumbline.bundle.heads.base import Head
from plumbline.bundle.reading import Reading
from plumbline.bundle.spec import OutputSpec

INTERVAL = 1.6448536269514722
"""Deviations to either side that hold 90 % of a normal distribution."""

_TINY = 1e-12
_ROUNDED = 1e-6
"""Of a number: several times what 32 bits round."""


class ValueHead(Head[ValueCalibration]):
    """Width 1: a mean. Width 2: a mean and a positive standard deviation.

    Members are mixed by the law of total variance; how far their means lie apart is the epistemic
    part.
    """

    kind: ClassVar[str] = "value"
    calibration_kind = ValueCalibration

    @classmethod
    @override
    def check(cls, spec: OutputSpec) -> None:
        if spec.width not in (1, 2):
            raise ValueError(
                f"output {spec.name}: width {spec.width}: a value has one number, its mean, or "
                "two, mean and standard deviation; make an output of each horizon"
            )
        if spec.choices:
            raise ValueError(f"output {spec.name}: a value has no choices")

    @override
    def identity(self) -> ValueCalibration:
        return ValueCalibration(rows=0)

    @override
    def unfitted(self, raw: FloatArray) -> ValueCalibration:
        """Take the forecasts as they are; of their errors nothing is known but their own spread."""
        spread = max(_spread(np.asarray(raw, np.float64)[:, :, 0].mean(axis=1)), _TINY)
        noise = 1.0 if self.spec.width == 2 else spread
        return ValueCalibration(noise=noise, spread=spread, rows=0)

    @override
    def read(
        self, raw: FloatArray, calibration: ValueCalibration, group: AnyArray | None = None
    ) -> Reading:
        numbers = np.asarray(raw, np.float64)
        means = calibration.intercept + calibration.slope * numbers[:, :, 0]
        mean = means.mean(axis=1)
        variance = ((means - mean[:, None]) ** 2).mean(axis=1)
        columns = [mean]
        if self.spec.width == 2:
            own = calibration.noise * np.maximum(numbers[:, :, 1], _TINY)
            columns.append(np.sqrt((own**2).mean(axis=1) + variance))
        centre = np.stack(columns, axis=1)
        return Reading(centre, np.sqrt(variance), self.coordinates(centre, calibration))

    @override
    def coordinates(
        self, centre: FloatArray, calibration: ValueCalibration, group: AnyArray | None = None
    ) -> FloatArray:
        units: FloatArray = np.asarray(centre, np.float64)[:, :1] / calibration.spread
        return units

    def deviation(self, reading: Reading, calibration: ValueCalibration) -> FloatArray:
        """Return the standard deviation of the truth around each mean: ``(n,) float64``."""
        if self.spec.width == 2:
            return np.asarray(reading.centre[:, 1], np.float64)
        mixed: FloatArray = np.sqrt(calibration.noise**2 + reading.epistemic**2)
        return mixed

    @override
    def fit(
        self,
        raw: FloatArray,
        truth: FloatArray,
        group: AnyArray | None = None,
        *,
        correction: tuple[float, ...] | None = None,
    ) -> ValueCalibration:
        """Regress the truth on the forecast; what is left over is the noise.

        What the members' disagreement explains of it is no noise, or it would be counted twice. A
        forecast that does not rise with the truth is left as it is: turning it round would hide
        from the gate that it knows nothing.
        """
        known = np.isfinite(truth)
        if not known.any():
            raise ValueError("cannot calibrate: no row has a truth")
        numbers = np.asarray(raw, np.float64)[known]
        if not np.isfinite(numbers).all():
            raise ValueError("cannot calibrate: the model gives values that are not finite")
        y, x = np.asarray(truth, np.float64)[known], numbers[:, :, 0].mean(axis=1)
        variance = float(x.var()) if _moves(x) else 0.0
        slope = float(((x - x.mean()) * (y - y.mean())).mean()) / variance if variance > 0 else 0.0
        slope = slope if slope > _TINY else 1.0
        intercept = float(y.mean() - slope * x.mean())
        left = y - intercept - slope * x
        apart = slope**2 * numbers[:, :, 0].var(axis=1)
        own = np.ones(len(y))
        if self.spec.width == 2:
            own = (np.maximum(numbers[:, :, 1], _TINY) ** 2).mean(axis=1)
        noise = _noise(left**2, own, apart)
        return ValueCalibration(
            intercept=intercept,
            slope=slope,
            noise=max(noise, _TINY),
            spread=max(slope * _spread(x), _TINY),
            rows=len(y),
        )

    @override
    def gain(
        self,
        reading: Reading,
        truth: FloatArray,
        calibration: ValueCalibration,
        group: AnyArray | None = None,
    ) -> FloatArray:
        known = np.isfinite(truth)
        gain = np.full(len(reading), np.nan)
        if known.any():
            y = np.asarray(truth, np.float64)[known]
            own = crps(y, reading.centre[known, 0], self.deviation(reading, calibration)[known])
            constant = crps(y, np.full(len(y), y.mean()), np.full(len(y), max(y.std(), _TINY)))
            gain[known] = constant - own
        return gain

    @override
    def spread(self, reading: Reading) -> float | None:
        return float(reading.coordinates.std()) if len(reading) > 1 else None

    @override
    def direction(self, reading: Reading) -> FloatArray:
        return np.asarray(reading.centre[:, 0], np.float64)

    @override
    def to_wire(self, reading: Reading, i: int, calibration: ValueCalibration) -> dict[str, Any]:
        mean = float(reading.centre[i, 0])
        deviation = float(self.deviation(reading.take(slice(i, i + 1)), calibration)[0])
        return {
            "kind": self.kind,
            "mean": mean,
            "deviation": deviation,
            "interval": [mean - INTERVAL * deviation, mean + INTERVAL * deviation],
            "epistemic": float(reading.epistemic[i]),
        }


def _moves(forecasts: FloatArray) -> bool:
    """Whether forecasts differ by more than 32 bits round."""
    return float(forecasts.std()) > _ROUNDED * float(np.abs(forecasts).max())


def _spread(forecasts: FloatArray) -> float:
    """Return the standard deviation; of a constant its size, so that rounding is no movement."""
    return float(forecasts.std() if _moves(forecasts) else np.abs(forecasts).max())


def _noise(errors: FloatArray, own: FloatArray, apart: FloatArray) -> float:
    """Return the factor whose square makes ``noise² · own + apart`` as large as squared errors.

    As large in the mean of one over the other; for members that agree there is a formula.
    """
    plain = sqrt(float((errors / own).mean()))
    if not apart.any():
        return plain
    low, high = 0.0, plain  # without members' disagreement it would have to be so large
    for _ in range(60):
        middle = (low + high) / 2
        short = float((errors / np.maximum(middle**2 * own + apart, _TINY**2)).mean()) > 1
        low, high = (middle, high) if short else (low, middle)
    return high


def crps(truth: FloatArray, mean: FloatArray, deviation: FloatArray) -> FloatArray:
    """Continuous ranked probability score of normal forecasts, smaller is better: all ``(n,)``.

    References
    ----------
    Gneiting and Raftery (2007), "Strictly Proper Scoring Rules, Prediction, and Estimation",
    section 4.2.
    """
    from scipy.special import ndtr  # noqa: PLC0415  # judging is not serving

    sigma = np.maximum(deviation, _TINY)
    z = (truth - mean) / sigma
    density = np.exp(-0.5 * z * z) / sqrt(2 * pi)
    score: FloatArray = sigma * (z * (2 * ndtr(z) - 1) + 2 * density - 1 / sqrt(pi))
    return score
