"""How far confidence is from how often it is right, for the gate and for live rows alike."""

from __future__ import annotations

import numpy as np

from plumbline.bundle.array import FloatArray, IntArray


def calibration_error(probabilities: FloatArray, truth: IntArray, bins: int = 10) -> float:
    """Return the expected calibration error of the most probable choice, in equal-width bins.

    References
    ----------
    Guo et al. (2017), "On Calibration of Modern Neural Networks", eq. 3.
    """
    confidence = probabilities.max(axis=1)
    hit = probabilities.argmax(axis=1) == truth
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs(float(hit[place == b].mean() - confidence[place == b].mean()))
        * float((place == b).mean())
        for b in np.unique(place)
    ]
    return float(sum(gaps))
