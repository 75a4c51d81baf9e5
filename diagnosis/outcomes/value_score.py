"""What a forecast was worth: CRPS, taken apart into deviation and mean, and its honesty."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import ndtr
from typing_extensions import override

from plumbline.bundle.array import FloatArray
from plumbline.bundle.calibration import Calibration, ValueCalibration
from plumbline.bundle.heads import Head
from plumbline.bundle.heads.value import ValueHead, crps
from plumbline.bundle.reading import Reading
from plumbline.diagnosis.outcomes.clock import cell_of, means_by_clock
from plumbline.diagnosis.outcomes.score import (
    Score,
    Scorer,
    hit_scores,
    hits_by_third,
    leaning,
    thirds_of,
)
from plumbline.diagnosis.outcomes.settled import Settled

PIT_FLOOR = 0.1
"""By which the mean of ``2u - 1``, or of its square, may be off, whatever the reference."""

WIDEST = 4.0
"""Deviations of the reference's gain that one row can gain or lose, no more."""

UNITS = (0.1, 3.0)
"""The same is at least and at most so many standard deviations of the truth."""

_TINY = 1e-12
_FAR = 4.0  # deviations of the truth beyond which a bet counts as having won or lost so many
_DIRECTION_SCALE = 4.0  # both sides are halves of a deviation


class ValueScorer(Scorer):
    """Scores of a mean and a deviation.

    Parameters
    ----------
    head, calibration
        Of the output.
    reference
        Rows of it.
    overlap
        Moments whose outcomes overlap.
    size_cap, cost
        Of the policy that decides by it: the largest size, and a round trip's cost.
    """

    def __init__(
        self,
        head: Head[Any],
        calibration: Calibration,
        reference: Settled,
        *,
        overlap: int,
        size_cap: float,
        cost: float,
    ) -> None:
        if not isinstance(head, ValueHead) or not isinstance(calibration, ValueCalibration):
            raise TypeError(f"output {head.spec.name}: expected the head of a value, and its own")
        self._head, self._calibration = head, calibration
        self._cost = cost
        known = len(reference) > 1
        mean = self._mean(reference)
        y = reference.truth
        self._spread = float(mean.std()) if known else 0.0
        self._usual = (
            (float(y.mean()), max(float(y.std()), _TINY)) if known else (0.0, calibration.noise)
        )
        usual, middle = self._usual, float(mean.mean()) if known else 0.0
        self._first = np.array(
            [1.0, usual[0], usual[0] ** 2 + usual[1] ** 2, middle, middle**2 + self._spread**2]
        )
        self._clock = np.tile(self._usual, (168, 1))
        if known:
            moments = means_by_clock(np.stack([y, y**2], axis=1), reference.moment, overlap=overlap)
            deviation = np.sqrt(np.maximum(moments[:, 1] - moments[:, 0] ** 2, _TINY**2))
            self._clock = np.stack([moments[:, 0], deviation], axis=1)
        self._most = max(size_cap * _FAR * self._usual[1], _TINY)
        self._gain = 1.0
        if known:
            own = crps(y, mean, self._deviation(reference))
            constant = crps(y, np.full(len(y), usual[0]), np.full(len(y), usual[1]))
            self._gain = float(np.clip(WIDEST * (constant - own).std() / usual[1], *UNITS))
        self._edges = thirds_of(np.abs(mean) / self._usual[1])
        self.scores = (
            Score("gain_constant", "skill", self._gain, "CRPS / sd", "gained on the best constant"),
            Score("gain_clock", "skill", self._gain, "CRPS / sd", "gained on the clock"),
            Score("gain_volatility", "figure", self._gain, "CRPS / sd", "of it by knowing how far"),
            Score(
                "gain_direction", "figure", self._gain, "CRPS / sd", "of it by knowing which way"
            ),
            Score(
                "direction",
                "direction",
                _DIRECTION_SCALE,
                "correlation",
                "between forecast and what came of it (IC)",
            ),
            Score("resolution", "resolution", 1.0, "ratio", "how forecasts go with truth"),
            Score(
                "bias",
                "calibration",
                1.0,
                "ratio",
                "how much more often above the forecast than below",
                floor=PIT_FLOOR,
            ),
            Score(
                "dispersion",
                "calibration",
                1.0,
                "ratio",
                "above zero: farther off than its deviation says",
                floor=PIT_FLOOR,
            ),
            Score("value", "figure", self._most, "capital", "per bet, after costs"),
            *hit_scores(self._edges),
        )

    @override
    def recall(self, rows: Settled) -> FloatArray:
        y, mean = rows.truth, self._mean(rows)
        return np.stack([np.ones(len(y)), y, y**2, mean, mean**2], axis=1)

    @override
    def score(self, rows: Settled, memory: FloatArray) -> FloatArray:
        sums = memory + self._first
        n, usual, usual_mean = sums[:, 0], sums[:, 1] / sums[:, 0], sums[:, 3] / sums[:, 0]
        sd = np.sqrt(np.maximum(sums[:, 2] / n - usual**2, _TINY**2))
        lately = np.sqrt(np.maximum(sums[:, 4] / n - usual_mean**2, 0.0))
        y, mean, deviation = rows.truth, self._mean(rows), self._deviation(rows)
        ones = np.ones(len(rows))
        own = crps(y, mean, deviation)
        constant = crps(y, usual * ones, sd * ones)
        how_far = crps(y, usual * ones, deviation)
        cell = self._clock[cell_of(rows.moment)]
        stretch = sd / self._usual[1]
        by_clock = crps(y, cell[:, 0] - self._usual[0] + usual, cell[:, 1] * stretch)
        gains = [constant - own, by_clock - own, constant - how_far, how_far - own]
        went = np.clip((y - usual) / sd, -2.0, 2.0) / 2.0
        pit = 2.0 * ndtr((y - mean) / np.maximum(deviation, _TINY)) - 1.0
        held = rows.size * (rows.position * y - self._cost * np.abs(rows.position))
        hit = np.where(y == 0, 0.5, np.sign(mean) == np.sign(y))
        columns = [
            np.clip(np.stack(gains, axis=1) / (sd * self._gain)[:, None], -1.0, 1.0),
            (leaning(mean, usual_mean, self._spread) * went)[:, None],
            (leaning(mean, usual_mean, lately) * went)[:, None],
            pit[:, None],
            (1.5 * (pit**2 - 1 / 3))[:, None],
            np.where(rows.size * rows.position != 0, held / self._most, np.nan)[:, None],
            hits_by_third(hit, np.abs(mean) / self._usual[1], self._edges),
        ]
        return np.asarray(np.clip(np.concatenate(columns, axis=1), -1.0, 1.0))

    def _mean(self, rows: Settled) -> FloatArray:
        return np.asarray(rows.centre[:, 0], np.float64)

    def _deviation(self, rows: Settled) -> FloatArray:
        reading = Reading(rows.centre, rows.epistemic, rows.centre[:, :1])
        return self._head.deviation(reading, self._calibration)
