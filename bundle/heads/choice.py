"""A choice among classes: logits to probabilities."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from typing_extensions import override

from plumbline.bundle.array import AnyArray, FloatArray
from plumbline.bundle.calibration import Calibration, ChoiceCalibration
from plumbline.bundle.heads.base import Head
from plumbline.bundle.reading import Reading
from plumbline.bundle.spec import OutputSpec

_TINY = 1e-37  # the smallest normal float32: logged probabilities are float32
_SURELY_NOT = 1e-12
_SLOPES = (0.001, 50.0)


def clr(probabilities: FloatArray) -> FloatArray:
    """Centred log-ratio: log-probabilities minus their row mean, ``(n, k)`` to ``(n, k) float64``.

    References
    ----------
    Aitchison (1986), "The Statistical Analysis of Compositional Data", section 4.6.
    """
    logs = np.log(np.maximum(np.asarray(probabilities, np.float64), _TINY))
    centred: FloatArray = logs - np.add.reduce(logs, axis=-1, keepdims=True) / logs.shape[-1]
    return centred


class ChoiceHead(Head[ChoiceCalibration]):
    """Probabilities of the members' average; their disagreement as mutual information.

    References
    ----------
    Houlsby et al. (2011), "Bayesian Active Learning for Classification and Preference Learning",
    eq. 2: ``H(E p) - E H(p)``.
    """

    kind: ClassVar[str] = "choice"
    calibration_kind = ChoiceCalibration

    @classmethod
    @override
    def check(cls, spec: OutputSpec) -> None:
        if len(spec.choices) < 2:
            raise ValueError(f"output {spec.name}: a choice needs two choices or more")
        if spec.width != len(spec.choices):
            raise ValueError(
                f"output {spec.name}: width {spec.width} for {len(spec.choices)} choices: a choice "
                "has one logit for each (of a single probability make two)"
            )

    @override
    def identity(self) -> ChoiceCalibration:
        return ChoiceCalibration.identity(self.spec.width)

    @override
    def misfit(self, calibration: Calibration) -> str | None:
        found = len(calibration.bias) if isinstance(calibration, ChoiceCalibration) else 0
        return (
            None
            if found == self.spec.width
            else (f"expected {self.spec.width} biases, found {found}")
        )

    @override
    def untrue(self, truth: FloatArray) -> str | None:
        known = truth[np.isfinite(truth)]
        whole = (known == np.floor(known)) & (known >= 0) & (known < self.spec.width)
        return None if whole.all() else f"expected places 0 to {self.spec.width - 1}"

    @override
    def read(
        self, raw: FloatArray, calibration: ChoiceCalibration, group: AnyArray | None = None
    ) -> Reading:
        each = calibration.apply(raw)
        if each.shape[1] == 1:
            centre = each[:, 0]
            return Reading(centre, np.zeros(len(raw)), clr(centre))
        centre = each.mean(axis=1)
        epistemic = np.maximum(_entropy(centre) - _entropy(each).mean(axis=1), 0.0)
        return Reading(centre, epistemic, clr(centre))

    @override
    def coordinates(
        self, centre: FloatArray, calibration: ChoiceCalibration, group: AnyArray | None = None
    ) -> FloatArray:
        return clr(centre)

    @override
    def fit(
        self,
        raw: FloatArray,
        truth: FloatArray,
        group: AnyArray | None = None,
        *,
        correction: tuple[float, ...] | None = None,
    ) -> ChoiceCalibration:
        """Minimise the log loss of the members' average over temperature and biases.

        For one member the problem is convex in ``1/T`` and ``b``; the first choice's bias is fixed,
        since a constant added to every logit changes nothing, and the biases are centred
        afterwards.

        References
        ----------
        Guo et al. (2017), "On Calibration of Modern Neural Networks", section 4.2. Alexandari et
        al. (2020), "Maximum Likelihood with Bias-Corrected Calibration is Hard-To-Beat at Label
        Shift Adaptation", section 4.
        """
        from scipy.optimize import minimize  # noqa: PLC0415  # fitting is not serving

        known = np.isfinite(truth)
        if not known.any():
            raise ValueError("cannot calibrate: no row has a truth")
        k = self.spec.width
        prior = correction or (0.0,) * k
        logits = np.asarray(raw, np.float64)[known] + np.asarray(prior)
        if not np.isfinite(logits).all():
            raise ValueError("cannot calibrate: the model gives logits that are not finite")
        places = np.asarray(truth)[known].astype(np.int64)
        problem = _LogLoss(logits, places)
        start = np.concatenate([[1.0], np.zeros(k - 1)])
        bounds = [_SLOPES] + [(-50.0, 50.0)] * (k - 1)
        found = minimize(problem, start, jac=True, method="L-BFGS-B", bounds=bounds)
        bias = np.concatenate([[0.0], found.x[1:]])
        return ChoiceCalibration(
            temperature=float(1 / found.x[0]),
            bias=tuple((bias - bias.mean()).tolist()),
            prior_correction=prior,
            rows=len(places),
        )

    @override
    def gain(
        self,
        reading: Reading,
        truth: FloatArray,
        calibration: ChoiceCalibration,
        group: AnyArray | None = None,
    ) -> FloatArray:
        known = np.isfinite(truth)
        gain = np.full(len(reading), np.nan)
        if known.any():
            places = np.asarray(truth)[known].astype(np.int64)
            shares = np.bincount(places, minlength=self.spec.width) / len(places)
            chosen = reading.centre[known][np.arange(len(places)), places]
            gain[known] = np.log(np.maximum(chosen, _SURELY_NOT)) - np.log(
                np.maximum(shares[places], _SURELY_NOT)
            )
        return gain

    @override
    def spread(self, reading: Reading) -> float | None:
        if len(reading) < 2:
            return None
        return float(np.asarray(reading.centre, np.float64).std(axis=0).max())

    @override
    def direction(self, reading: Reading) -> FloatArray:
        positions = self.spec.positions or (0.0,) * self.spec.width
        towards: FloatArray = reading.centre @ np.asarray(positions)
        return towards

    @override
    def confidence(self, reading: Reading) -> FloatArray:
        sure: FloatArray = reading.centre.max(axis=1) if len(reading) else np.empty(0)
        return sure

    @override
    def to_wire(self, reading: Reading, i: int, calibration: ChoiceCalibration) -> dict[str, Any]:
        row = reading.centre[i].tolist()
        return {
            "kind": self.kind,
            "probabilities": dict(zip(self.spec.choices, row, strict=True)),
            "confidence": max(row),
            "epistemic": float(reading.epistemic[i]),
        }


class _LogLoss:
    """Mean log loss of ``mean_m softmax(s z_m + b)`` and its gradient, of ``(s, b_1 …)``."""

    def __init__(self, logits: FloatArray, places: AnyArray) -> None:
        self._logits = logits
        self._truth = np.eye(logits.shape[2])[places]

    def __call__(self, point: FloatArray) -> tuple[float, FloatArray]:
        z, n, members = self._logits, len(self._logits), self._logits.shape[1]
        shifted = point[0] * z + np.concatenate([[0.0], point[1:]])
        each = np.exp(shifted - shifted.max(axis=2, keepdims=True))
        each /= each.sum(axis=2, keepdims=True)
        chosen = (each * self._truth[:, None, :]).sum(axis=2)
        mean = np.maximum(chosen.mean(axis=1), 1e-300)
        weight = (chosen / (mean[:, None] * members))[:, :, None]
        error = weight * (each - self._truth[:, None, :]) / n
        gradient = np.concatenate([[(error * z).sum()], error.sum(axis=(0, 1))[1:]])
        return float(-np.log(mean).mean()), gradient


def _entropy(p: FloatArray) -> FloatArray:
    terms: FloatArray = -(p * np.log(np.where(p > 0, p, 1.0))).sum(axis=-1)
    return terms
