"""Scores of rows whose truth is known, all between -1 and 1: the base of every kind's.

A score is fair to bet on if it looks at nothing but the row and at what was known before. What a
class of moments (`residue`) has known before is its *memory*: plain sums, so that it can be learnt
row by row, begun with the reference, or taken in hindsight.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from plumbline.bundle.array import FloatArray
from plumbline.diagnosis.outcomes.settled import Settled, by_moment

PRIOR = 50.0
"""Rows that the reference counts for at the beginning of a memory."""

THIRDS = ("low", "middle", "high")

Use = Literal["skill", "direction", "resolution", "calibration", "figure"]


@dataclass(frozen=True)
class Score:
    """What a score says.

    Attributes
    ----------
    name
        As on the page and in metrics.
    use
        Whether it tells skill (it is held to what the reference gained), direction, what is left of
        the signal however it is scaled, or calibration (its mean is zero for an honest model); or
        whether it is shown and nothing else.
    scale, shift
        ``shift + scale · score`` is in the unit.
    unit
        For people.
    meaning
        One phrase.
    """

    name: str
    use: Use
    scale: float
    unit: str
    meaning: str
    shift: float = 0.0
    floor: float = 0.0


class Scorer(ABC):
    """The scores of one output.

    Attributes
    ----------
    scores
        In the order of the columns of `score`.
    """

    scores: tuple[Score, ...]

    @abstractmethod
    def recall(self, rows: Settled) -> FloatArray:
        """Return what there is to remember of each row, ``(n, d)``; the first of them is 1."""

    @abstractmethod
    def score(self, rows: Settled, memory: FloatArray) -> FloatArray:
        """Return the scores of rows, ``(n, s)``, NaN where one says nothing of a row.

        Parameters
        ----------
        rows
            Cross-sections whole.
        memory : (n, d) or (1, d) float64
            Sums of what was recalled before each row.
        """

    @property
    def names(self) -> tuple[str, ...]:
        """Of the scores."""
        return tuple(each.name for each in self.scores)

    def beginning(self, reference: Settled) -> FloatArray:
        """Return a memory of the reference that counts for `PRIOR` rows: ``(d,)``."""
        sums: FloatArray = self.recall(reference).sum(axis=0)
        beginning: FloatArray = sums * (PRIOR / max(float(sums[0]), 1.0))
        return beginning

    def summary(self, rows: Settled) -> dict[Score, float]:  # noqa: ARG002  # of some kinds
        """Return figures of rows that are no mean of each row's own, in their own unit."""
        return {}

    def of_moments(self, rows: Settled, memory: FloatArray) -> FloatArray:
        """Return the mean scores of each moment, oldest first: ``(m, s)`` between -1 and 1."""
        means = by_moment(self.score(rows, memory), rows.moment)
        bounded: FloatArray = np.clip(means, -1.0, 1.0)
        return bounded

    def in_hindsight(self, rows: Settled) -> FloatArray:
        """Return the same, held against the best constants of these very rows."""
        return self.of_moments(rows, self.recall(rows).sum(axis=0)[None])


def hit_scores(edges: Sequence[float]) -> tuple[Score, ...]:
    """Return the scores of hits among the least, the middling and the most confident rows."""
    low, high = edges
    where = (f"below {low:.3g}", f"{low:.3g} to {high:.3g}", f"from {high:.3g}")
    return tuple(
        Score(f"hits_{third}", "figure", 0.5, "ratio", f"right, confidence {text}", shift=0.5)
        for third, text in zip(THIRDS, where, strict=True)
    )


def hits_by_third(hit: FloatArray, confidence: FloatArray, edges: Sequence[float]) -> FloatArray:
    """Return 1 for a hit and -1 for a miss in the column of the row's third, ``(n, 3)``."""
    third = np.searchsorted(edges, confidence, side="right")
    out = np.full((len(hit), len(THIRDS)), np.nan)
    out[np.arange(len(hit)), third] = 2.0 * hit - 1.0
    return out


def thirds_of(confidence: FloatArray) -> tuple[float, float]:
    """Return where the reference's confidence is cut."""
    if not len(confidence):
        return 0.5, 0.75
    low, high = np.quantile(confidence, [1 / 3, 2 / 3])
    return float(low), float(high)


def leaning(direction: FloatArray, mean: FloatArray, spread: FloatArray | float) -> FloatArray:
    """Return how far each row leans from its usual, in halves of two deviations: -1 to 1."""
    still = np.asarray(spread) <= _FLAT
    leans: FloatArray = np.where(
        still, 0.0, np.clip((direction - mean) / np.where(still, 1.0, spread), -2.0, 2.0) / 2.0
    )
    return leans


_FLAT = 1e-9
