"""The constant per-class offset that would put shares right."""

from __future__ import annotations

import numpy as np

from plumbline.bundle.array import FloatArray
from plumbline.bundle.calibration import softmax

_TINY = 1e-300


def log_odds_range(shares: FloatArray) -> float:
    """Log-odds between the most and the least frequent class, in nats; at least ``log 2``.

    Reweighting classes moves logits by at most this much. An even prior has none, so that the floor
    keeps ratios to it finite.
    """
    positive = np.maximum(np.asarray(shares, np.float64), 1e-3)
    return max(float(np.log(positive.max() / positive.min())), float(np.log(2.0)))


def restoring_offset(
    probabilities: FloatArray, target: FloatArray, *, steps: int = 200
) -> FloatArray:
    """Offset on the log-probabilities that makes the mean probability equal ``target``.

    Parameters
    ----------
    probabilities : (n, k) floating
    target : (k,) floating
        Positive shares that sum to one.
    steps
        Of the fixed-point iteration ``b += log(target / mean softmax(log p + b))``.

    Returns
    -------
    (k,) float64
        Centred, in nats. For a constant model with probabilities (.8, .1, .1) and an even target it
        is ``log(1/8)`` on the first class relative to the others.

    References
    ----------
    Saerens, Latinne and Decaestecker (2002), "Adjusting the Outputs of a Classifier to New a Priori
    Probabilities", section 2.2, with the marginal given instead of estimated.
    """
    logs = np.log(np.maximum(np.asarray(probabilities, np.float64), _TINY))
    goal = np.log(np.maximum(np.asarray(target, np.float64), 1e-6))
    offset = np.zeros(logs.shape[1])
    for _ in range(steps):
        change = goal - np.log(np.maximum(softmax(logs + offset).mean(axis=0), _TINY))
        offset += change - change.mean()
        if np.abs(change - change.mean()).max() < 1e-6:
            break
    return offset
