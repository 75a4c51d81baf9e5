"""What predictions are worth where labels are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plumbline.bundle.array import FloatArray, IntArray

_TINY = 1e-12


@dataclass(frozen=True)
class Skill:
    """Predictions against labels, masked rows left out.

    Attributes
    ----------
    n
        Labelled rows.
    correct
        Of the policy's actions.
    majority
        Share of the most frequent label.
    recalls : (k,) float64
        NaN-free: None where a class has no label.
    gain : (n,) float64
        Log-loss of the label shares minus log-loss of the model, per row, in nats.
    label_shares : (k,) float64
    """

    n: int
    correct: int
    majority: float
    recalls: tuple[float | None, ...]
    gain: FloatArray
    label_shares: FloatArray

    @property
    def accuracy(self) -> float:
        """Share of actions that equal the label."""
        return self.correct / self.n


def skill(probabilities: FloatArray, actions: IntArray, labels: IntArray) -> Skill | None:
    """Compare predictions with labels; None without a labelled row.

    Parameters
    ----------
    probabilities : (n, k) floating
    actions : (n,) integer
    labels : (n,) integer
        -1 where masked.
    """
    known = np.asarray(labels) >= 0
    n = int(known.sum())
    if n == 0:
        return None
    truth = np.asarray(labels, np.int64)[known]
    taken = np.asarray(actions, np.int64)[known]
    p = np.asarray(probabilities, np.float64)[known]
    counts = np.bincount(truth, minlength=p.shape[1])
    shares = counts / n
    chosen = np.maximum(p[np.arange(n), truth], _TINY)
    hits = np.bincount(truth[taken == truth], minlength=p.shape[1])
    return Skill(
        n=n,
        correct=int((taken == truth).sum()),
        majority=float(shares.max()),
        recalls=tuple(float(h / c) if c else None for h, c in zip(hits, counts, strict=True)),
        gain=np.log(chosen) - np.log(np.maximum(shares[truth], _TINY)),
        label_shares=shares,
    )
