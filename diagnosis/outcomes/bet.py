"""Bets on means of bounded scores: how evidence grows against what was promised of them.

A score ``x`` between -1 and 1 is held against a bound ``m``: *its mean, given the past, is at least
m* (or at most). A stake grows by ``1 + λ (m - x)``, which is fair or worse as long as that is true,
whatever the distribution and whatever came before. Stakes follow Shiryaev and Roberts,
``M <- e (M + 1)``, a few sizes of ``λ`` are mixed, and so are the bounds of one question.

References
----------
Waudby-Smith and Ramdas (2024), "Estimating Means of Bounded Random Variables by Betting", JRSS-B,
section 4. Shin, Ramdas and Rinaldo (2024), "E-detectors", NEJSDS, theorem 2.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.diagnosis.e_process import CAP, GROWING

SIZES = (0.9, 0.5, 0.25, 0.1, 0.04)
"""Of the bets, as shares of the largest that cannot ruin."""


@dataclass(frozen=True)
class Null:
    """What is held of the mean of one score.

    Attributes
    ----------
    score
        Its name.
    bound
        Between -1 and 1.
    least
        Whether the mean is at least that; else at most.
    """

    score: str
    bound: float
    least: bool = True


class Inquiry:
    """Asks a stream of scores whether all of some nulls hold.

    The answer is the mean of the stakes, class by class; it is yes as long as no class has reached
    the level. Classes are judged one by one and not by their average: a moment at which the average
    is looked at may depend on half of an outcome that another class has bet on.

    Parameters
    ----------
    nulls
        Not empty.
    names
        Of the scores, in the order in which they come.
    classes
        See `residue`.
    level
        Alarm at this mean stake. If the nulls hold, an alarm comes within ``n`` bets, those of all
        classes together, with probability ``n / level`` at most.
    """

    def __init__(
        self, nulls: Sequence[Null], names: Sequence[str], *, classes: int, level: float
    ) -> None:
        self.nulls = tuple(nulls)
        self.level = level
        self.alarmed = False
        self._places = np.array([names.index(null.score) for null in nulls])
        self._bounds = np.array([null.bound for null in nulls])
        self._signs = np.array([1.0 if null.least else -1.0 for null in nulls])
        most = 1.0 / (1.0 + np.abs(self._bounds))
        self._sizes = most[:, None] * np.array(SIZES)
        self._stakes = np.zeros((classes, len(nulls), len(SIZES)))
        self._values = np.zeros(classes)
        self._quiet = np.zeros(classes, np.int64)
        self._taken = np.zeros(classes, np.int64)

    def take(self, scores: FloatArray, classes: IntArray) -> None:
        """Bet on the scores of a block of each of some classes.

        Parameters
        ----------
        scores : (b, s) float64
            NaN where there is none.
        classes : (b,) int64
            Each once.
        """
        loss = self._signs * (self._bounds - scores[:, self._places])
        known = np.isfinite(loss)
        factor = 1.0 + self._sizes * np.where(known, loss, 0.0)[:, :, None]
        before = self._stakes[classes]
        grown = np.where(known[:, :, None], np.minimum(factor * (before + 1.0), CAP), before)
        self._stakes[classes] = grown
        values = self._values[classes] = grown.mean(axis=(1, 2))
        self._taken[classes] += known.any(axis=1)
        quiet = classes[values < GROWING]
        self._quiet[quiet] = self._taken[quiet]
        self.alarmed = self.alarmed or bool((values >= self.level).any())

    @property
    def log_e(self) -> float:
        """Evidence of the class that has most, in nats; 0 before there is any."""
        return log(max(float(self._values.max()), 1.0))

    @property
    def strength(self) -> float:
        """Evidence at this moment alone, in nats: less what as many fair bets gather by luck.

        ``M / n`` is an e-value after ``n`` bets; of the class that has most.
        """
        return log(max(float((self._values / np.maximum(self._taken, 1)).max()), 1e-300))

    @property
    def taken(self) -> int:
        """Bets, of all classes."""
        return int(self._taken.sum())

    @property
    def threshold(self) -> float:
        """Where it alarms, in nats."""
        return log(self.level)

    @property
    def onset(self) -> int:
        """Bets since the evidence began to grow, those of all classes."""
        which = int(self._values.argmax())
        return int(self._taken[which] - self._quiet[which]) * len(self._values)
