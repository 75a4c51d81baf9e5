"""What a choice was worth: log loss, taken apart into how far and which way, and its honesty."""

from __future__ import annotations

import numpy as np
from typing_extensions import override

from plumbline.bundle.array import FloatArray
from plumbline.bundle.spec import OutputSpec
from plumbline.diagnosis.calibration_error import calibration_error
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

WIDEST = 4.0
"""Deviations of the reference's gain that one row can gain or lose, no more."""

NATS = (0.5, 3.0)
"""The same is at least and at most so much; a row that is surely wrong loses no more."""

LEAST_LOG = -3.0
"""Log-probabilities count from here on, where honesty is asked for."""

MOST_CHOICES = 8
"""So many choices are asked for their shares, the first."""

SHARE_FLOOR = 0.04
SHARPNESS_FLOOR = 0.05
"""Nats by which the surprise may be off, whatever the reference: what no bet notices."""

_TINY = 1e-12
_DIRECTION_SCALE = 2.0  # leaning is half a deviation, and an even coin deviates by what it may


_CALIBRATION_ERROR = Score(
    "calibration_error",
    "figure",
    1.0,
    "ratio",
    "between how sure it is and how often it is right (ECE, ten bins)",
)


class ChoiceScorer(Scorer):
    """Scores of probabilities.

    Parameters
    ----------
    spec
        Of the output; without positions nothing is said of direction.
    reference
        Rows of it.
    overlap
        Moments whose outcomes overlap.
    size_cap, cost
        Of the policy that decides by it: the largest size, and a round trip's cost as a share of
        the label's threshold.
    """

    def __init__(
        self, spec: OutputSpec, reference: Settled, *, overlap: int, size_cap: float, cost: float
    ) -> None:
        self._k = spec.width
        positions = np.asarray(spec.positions or (0.0,) * spec.width)
        self._positions, self._cost = positions, cost
        self._up, self._down = (positions > 0), (positions < 0)
        self._sided = bool(self._up.any() and self._down.any())
        self._most = max(size_cap, _TINY) * (1.0 + cost)
        onehot = np.eye(self._k)[reference.truth.astype(np.int64)]
        shares = (onehot.sum(axis=0) + 1.0) / (len(onehot) + self._k)
        self._tilts = np.ones((168, self._k))
        if len(onehot):
            clock = means_by_clock(onehot, reference.moment, overlap=overlap)
            self._tilts = np.maximum(clock, _TINY) / np.maximum(onehot.mean(axis=0), _TINY)
        self._shares = shares
        self._gain = NATS[1]
        if len(reference) > 1:
            said = np.log(np.maximum(reference.centre, _TINY))
            gain = (onehot * (said - np.log(shares))).sum(axis=1)
            self._gain = float(np.clip(WIDEST * gain.std(), *NATS))
        self._spread = float(self._upward(reference.centre).std()) if len(reference) else 0.0
        self._edges = thirds_of(reference.centre.max(axis=1) if len(reference) else np.empty(0))
        self.scores = self._describe(spec)

    def _describe(self, spec: OutputSpec) -> tuple[Score, ...]:
        found = [
            Score("gain_constant", "skill", self._gain, "nats", "gained on the best constant"),
            Score("gain_clock", "skill", self._gain, "nats", "gained on the clock"),
            Score("gain_volatility", "figure", self._gain, "nats", "of it by knowing how far"),
            Score("gain_direction", "figure", self._gain, "nats", "of it by knowing which way"),
            Score(
                "direction",
                "direction",
                _DIRECTION_SCALE,
                "correlation",
                "between which way it leans and which way it went (IC)",
            ),
            Score("resolution", "resolution", 1.0, "ratio", "how its probabilities go with truth"),
            Score(
                "sharpness",
                "calibration",
                -LEAST_LOG,
                "nats",
                "less surprised than it claims; below zero it is too sure of itself",
                floor=SHARPNESS_FLOOR / -LEAST_LOG,
            ),
        ]
        found += [
            Score(
                f"share_{name}",
                "calibration",
                1.0,
                "ratio",
                f"more often {name} than it says",
                floor=SHARE_FLOOR,
            )
            for name in spec.choices[:MOST_CHOICES]
        ]
        found.append(
            Score(
                "value",
                "figure",
                self._most,
                "capital",
                "per bet, in label thresholds, after costs",
            )
        )
        return (*found, *hit_scores(self._edges))

    @override
    def recall(self, rows: Settled) -> FloatArray:
        places = rows.truth.astype(np.int64)
        side = self._positions[places]
        sides = [side != 0, side > 0, self._upward(rows.centre)]
        ones, p = np.ones((len(rows), 1)), rows.centre
        return np.concatenate([ones, np.eye(self._k)[places], np.stack(sides, 1), p, p**2], axis=1)

    @override
    def score(self, rows: Settled, memory: FloatArray) -> FloatArray:
        k, known = self._k, _Memory(memory, self._k, self._shares)
        places, each = rows.truth.astype(np.int64), np.arange(len(rows))
        p = np.maximum(rows.centre, _TINY)
        came = np.eye(k)[places]
        clock = known.shares * self._tilts[cell_of(rows.moment)]
        clock /= clock.sum(axis=1, keepdims=True)
        said = np.log(p[each, places])
        constant = said - np.log((known.shares * came).sum(axis=1))
        by_clock = said - np.log(clock[each, places])
        way, leans = self._direction(rows, known)
        logs = np.maximum(np.log(p), LEAST_LOG)
        surprise = logs[each, places] - (rows.centre * logs).sum(axis=1)
        gone_with = _leaning(rows.centre, known) * (came - known.shares)
        held = rows.size * (
            rows.position * self._positions[places] - self._cost * np.abs(rows.position)
        )
        hit = self._answers(rows) == places
        gains = np.stack([constant, by_clock, constant - way, way], axis=1) / self._gain
        columns = [
            np.clip(gains, -1.0, 1.0),
            leans[:, None],
            gone_with.sum(axis=1, keepdims=True) / 2.0,
            surprise[:, None] / -LEAST_LOG,
            (came - rows.centre)[:, :MOST_CHOICES],
            np.where(rows.size * rows.position != 0, held / self._most, np.nan)[:, None],
            hits_by_third(hit, rows.centre.max(axis=1), self._edges),
        ]
        return np.concatenate(columns, axis=1)

    @override
    def summary(self, rows: Settled) -> dict[Score, float]:
        error = calibration_error(rows.centre, rows.truth.astype(np.int64))
        return {_CALIBRATION_ERROR: error}

    def _upward(self, p: FloatArray) -> FloatArray:
        """Probability that it rises, given that it moves: a half where nothing has a side."""
        if not self._sided:
            return np.full(len(p), 0.5)
        up, down = p[:, self._up].sum(axis=1), p[:, self._down].sum(axis=1)
        return np.asarray(np.where(up + down > 0, up / np.maximum(up + down, _TINY), 0.5))

    def _direction(self, rows: Settled, known: _Memory) -> tuple[FloatArray, FloatArray]:
        """Return nats gained by knowing which way, and leaning times what came of it."""
        side = self._positions[rows.truth.astype(np.int64)]
        if not self._sided:
            return np.zeros(len(rows)), np.full(len(rows), np.nan)
        moved, rose = side != 0, side > 0
        up = np.clip(self._upward(rows.centre), _TINY, 1.0 - _TINY)
        sided = known.shares[:, self._up | self._down].sum(axis=1)
        usual = known.shares[:, self._up].sum(axis=1) / sided
        gained = np.where(rose, np.log(up / usual), np.log((1 - up) / (1 - usual)))
        rises = (known.rises + usual) / (known.moves + 1.0)
        mean = (known.upward + 0.5) / (known.rows + 1.0)
        came = (rose - rises) / np.maximum(rises, 1.0 - rises)
        leans = np.where(moved, leaning(up, mean, self._spread) * came, np.nan)
        return np.where(moved, gained, 0.0), leans

    def _answers(self, rows: Settled) -> FloatArray:
        """Return the policy's action, or the likeliest choice where it decides by another."""
        likeliest = rows.centre.argmax(axis=1)
        return np.asarray(np.where(rows.action >= 0, rows.action, likeliest))


class _Memory:
    """What is remembered, by name: each ``(n, …)`` or ``(1, …)``."""

    def __init__(self, memory: FloatArray, k: int, shares: FloatArray) -> None:
        counts = memory[:, 1 : 1 + k]
        self.rows = memory[:, 0]
        self.shares = (counts + shares) / (counts.sum(axis=1, keepdims=True) + 1.0)
        self.moves, self.rises, self.upward = memory[:, 1 + k : 4 + k].T
        n = memory[:, :1] + 1.0
        self.mean = (memory[:, 4 + k : 4 + 2 * k] + shares) / n
        squares = (memory[:, 4 + 2 * k :] + shares**2) / n
        self.spread = np.sqrt(np.maximum(squares - self.mean**2, 0.0))


def _leaning(centre: FloatArray, known: _Memory) -> FloatArray:
    """Return how far each probability leans from its usual, in deviations of their own."""
    return leaning(centre, known.mean, known.spread)
