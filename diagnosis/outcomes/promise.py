"""What the reference lets one expect of outcomes: its gains, and how honest it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from plumbline.bundle.array import FloatArray
from plumbline.bundle.finding import Interval
from plumbline.diagnosis.bootstrap import mean_interval
from plumbline.diagnosis.outcomes.score import Scorer
from plumbline.diagnosis.outcomes.settled import Settled

FEWEST = 200
"""Moments with a known truth, without which nothing is promised."""

LEVEL = 0.90
"""Of the bootstrap interval whose lower end is promised, unless a stretch was worse."""

PARTS = 4
"""Stretches of the reference; the worst say how little was gained, and how far off it was."""

_BLOCKS = 4  # a bootstrap block is so many horizons


@dataclass(frozen=True)
class Promise:
    """What a reference promises of the scores of one output, each between -1 and 1.

    Attributes
    ----------
    moments
        With a known truth.
    gains
        Of each score of skill or resolution that was above zero beyond chance: the least.
    usual
        Of each score of calibration, between what its mean may lie.
    """

    moments: int = 0
    gains: Mapping[str, float] = field(default_factory=dict)
    usual: Mapping[str, Interval] = field(default_factory=dict)


def promise_of(scorer: Scorer, reference: Settled, *, horizon: int) -> Promise:
    """Measure a reference with the scores that outcomes will get.

    Parameters
    ----------
    scorer
        Of the output.
    reference
        Its rows with a known truth.
    horizon
        Bars by which their outcomes overlap.
    """
    usual = {score.name: _honest(np.empty(0), score.floor) for score in scorer.scores}
    gains: dict[str, float] = {}
    moments = 0
    if len(reference):
        means = scorer.in_hindsight(reference)
        moments = len(means)
        if moments >= FEWEST:
            for place, score in enumerate(scorer.scores):
                known = means[np.isfinite(means[:, place]), place]
                usual[score.name] = _honest(known, score.floor)
                if score.use in {"skill", "resolution"}:
                    least = _least(known, horizon)
                    if least > 0:
                        gains[score.name] = least
    return Promise(moments, gains, usual)


def _least(values: FloatArray, horizon: int) -> float:
    """Return the lower end of the interval of a mean, or that of its worst stretch if less.

    But half of the former at least: a reference with a bad stretch promises something all the same.
    Zero or less for what was not shown, and for too few values.
    """
    interval = mean_interval(values, level=LEVEL, block=max(24, _BLOCKS * horizon))
    if interval is None or interval.low <= 0:
        return 0.0
    worst = min(float(part.mean()) for part in np.array_split(values, PARTS))
    return max(min(interval.low, worst), interval.low / 2)


def _honest(values: FloatArray, floor: float) -> Interval:
    """Return between what the mean of stretches lies, zero included, and a floor beyond."""
    parts = [part.mean() for part in np.array_split(values, PARTS) if len(part)] or [0.0]
    low, high = min(0.0, *parts) - floor, max(0.0, *parts) + floor
    return Interval(low=max(float(low), -1.0), high=min(float(high), 1.0))
