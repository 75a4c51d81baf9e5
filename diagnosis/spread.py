"""How much predictions vary over rows."""

from __future__ import annotations

import numpy as np

from plumbline.bundle.array import FloatArray


def probability_spread(probabilities: FloatArray) -> float | None:
    """Largest standard deviation of a class's probability over the rows.

    Parameters
    ----------
    probabilities : (n, k) floating

    Returns
    -------
    float, or None for fewer than two rows
        The standard deviation of a single row is undefined, not zero: an assertion on one row once
        stopped a healthy model.
    """
    if len(probabilities) < 2:
        return None
    return float(np.asarray(probabilities, np.float64).std(axis=0).max())
