"""What a ranking was worth: its correlation with what came of it, one number a cross-section."""

from __future__ import annotations

import numpy as np
from typing_extensions import override

from plumbline.bundle.array import FloatArray
from plumbline.bundle.heads.score import normal_scores
from plumbline.diagnosis.outcomes.score import (
    Score,
    Scorer,
    hit_scores,
    hits_by_third,
    thirds_of,
)
from plumbline.diagnosis.outcomes.settled import Settled

FEWEST = 5
"""Rows of a cross-section whose truth must be known for it to count."""

_TINY = 1e-12
_FAR = 4.0


class RankScorer(Scorer):
    """Scores of cross-sections; a moment is one.

    Parameters
    ----------
    reference
        Rows of the output.
    gross
        Capital on both sides together, of the policy that decides by it.
    """

    def __init__(self, reference: Settled, *, gross: float) -> None:
        spread = float(reference.truth.std()) if len(reference) else 0.0
        self._most = max(gross * _FAR * spread, _TINY)
        ranks = normal_scores(reference.centre[:, 0], reference.moment)
        self._edges = thirds_of(np.abs(ranks[np.isfinite(ranks)]))
        self.scores = (
            Score("ic", "skill", 1.0, "correlation", "rank correlation, cross-section by section"),
            Score("direction", "direction", 1.0, "correlation", "the same, for its sign"),
            Score("value", "figure", self._most, "capital", "per cross-section, before costs"),
            *hit_scores(self._edges),
        )

    @override
    def recall(self, rows: Settled) -> FloatArray:
        return np.ones((len(rows), 1))

    @override
    def score(self, rows: Settled, memory: FloatArray) -> FloatArray:
        del memory
        _, code, size = np.unique(rows.moment, return_inverse=True, return_counts=True)
        enough = size[code] >= FEWEST
        ranks = normal_scores(rows.centre[:, 0], rows.moment)
        true = normal_scores(rows.truth, rows.moment)
        power = np.bincount(code, ranks**2) * np.bincount(code, true**2) / size**2
        along = np.where(enough, ranks * true / np.sqrt(np.maximum(power, _TINY))[code], np.nan)
        held = rows.size * rows.position * rows.truth * size[code] / self._most
        bet = np.bincount(code, rows.size * np.abs(rows.position))[code] > 0
        hit = np.where(true == 0, 0.5, np.sign(ranks) == np.sign(true))
        hits = hits_by_third(hit, np.abs(ranks), self._edges)
        columns = [
            along[:, None],
            along[:, None],
            np.where(enough & bet, held, np.nan)[:, None],
            np.where(enough[:, None], hits, np.nan),
        ]
        return np.concatenate(columns, axis=1)
