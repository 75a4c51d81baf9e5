"""Entropy of predictions, and what they tell about the inputs."""

from __future__ import annotations

import numpy as np

from plumbline.bundle.array import FloatArray


def entropy(probabilities: FloatArray) -> FloatArray:
    """Shannon entropy of each row.

    Parameters
    ----------
    probabilities : (n, k) floating
        Rows sum to one; zeros are allowed.

    Returns
    -------
    (n,) float64
        In nats, between 0 and ``log(k)``.

    References
    ----------
    Shannon (1948), "A Mathematical Theory of Communication", section 6.
    """
    p = np.asarray(probabilities, np.float64)
    terms: FloatArray = -(p * np.log(np.where(p > 0, p, 1.0))).sum(axis=-1)
    return np.maximum(terms, 0.0)


def mutual_information(probabilities: FloatArray) -> float | None:
    """Information between input and class that the predictions claim: ``H(mean p) - mean H(p)``.

    Parameters
    ----------
    probabilities : (n, k) floating

    Returns
    -------
    float, or None for fewer than two rows
        In nats. Zero for a flat model, however uncertain, and for a saturated one, however certain.
    """
    p = np.asarray(probabilities, np.float64)
    if len(p) < 2:
        return None
    marginal = float(entropy(p.mean(axis=0)))
    return max(0.0, marginal - float(entropy(p).mean()))
