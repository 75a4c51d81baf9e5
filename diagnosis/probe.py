"""What a plain linear reader of the features gets right, of true and of shuffled labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plumbline.bundle.array import FloatArray, IntArray

_PENALTY = 1.0
_MIN_ROWS = 100


@dataclass(frozen=True)
class Probe:
    """Held-out counts.

    Attributes
    ----------
    n
        Held-out rows.
    correct, shuffled_correct
        Right answers of the probe trained on true and on shuffled labels.
    majority
        Share of the most frequent label among the held-out rows.
    """

    n: int
    correct: int
    shuffled_correct: int
    majority: float


def probe(features: FloatArray, truth: FloatArray, *, classes: int, seed: int = 0) -> Probe | None:
    """Fit on the first half, count on the second; None with fewer than a hundred labelled rows.

    Parameters
    ----------
    features : (n, f) floating
    truth : (n,) floating
        A choice's place, NaN where masked.
    classes
        Number of classes.
    seed
        Of the shuffle.
    """
    known = np.isfinite(truth)
    labels = np.asarray(truth)[known].astype(np.int64)
    if len(labels) < _MIN_ROWS:
        return None
    x = np.asarray(features, np.float64)[known]
    scale = x.std(axis=0)
    x = (x - x.mean(axis=0)) / np.where(scale > 0, scale, 1.0)
    half = len(labels) // 2
    shuffled = np.random.default_rng(seed).permutation(labels[:half])
    held = labels[half:]
    return Probe(
        n=len(held),
        correct=int((_read(x[:half], labels[:half], x[half:], classes) == held).sum()),
        shuffled_correct=int((_read(x[:half], shuffled, x[half:], classes) == held).sum()),
        majority=float(np.bincount(held, minlength=classes).max() / len(held)),
    )


def _read(x: FloatArray, labels: IntArray, held: FloatArray, classes: int) -> IntArray:
    targets = np.eye(classes)[labels]
    mean = targets.mean(axis=0)
    gram = x.T @ x + _PENALTY * len(x) / 100 * np.eye(x.shape[1])
    weights = np.linalg.solve(gram, x.T @ (targets - mean))
    answers: IntArray = (held @ weights + mean).argmax(axis=1)
    return answers
