"""What predictions are worth where the truth is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plumbline.bundle.array import FloatArray, IntArray


@dataclass(frozen=True)
class Hits:
    """Actions against true choices, masked rows left out.

    Attributes
    ----------
    n
        Labelled rows.
    correct
        Actions that are the true choice.
    majority
        Share of the most frequent choice.
    recalls : (k,) float64
        NaN-free: None where a choice never came true.
    shares : (k,) float64
        Of the true choices.
    """

    n: int
    correct: int
    majority: float
    recalls: tuple[float | None, ...]
    shares: FloatArray

    @property
    def accuracy(self) -> float:
        """Share of actions that equal the truth."""
        return self.correct / self.n


def count_hits(actions: IntArray, truth: FloatArray, choices: int) -> Hits | None:
    """Compare actions ``(n,)`` with true choices ``(n,)``, NaN where masked; None without any."""
    known = np.isfinite(truth)
    n = int(known.sum())
    if n == 0:
        return None
    true = np.asarray(truth)[known].astype(np.int64)
    taken = np.asarray(actions, np.int64)[known]
    counts = np.bincount(true, minlength=choices)
    hits = np.bincount(true[taken == true], minlength=choices)
    return Hits(
        n=n,
        correct=int((taken == true).sum()),
        majority=float(counts.max() / n),
        recalls=tuple(float(h / c) if c else None for h, c in zip(hits, counts, strict=True)),
        shares=counts / n,
    )
