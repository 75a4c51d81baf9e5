"""Calibration: a temperature and a bias per class, fitted on rows the weights have not seen."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.calibration import Calibration, softmax
from plumbline.training.errors import TrainingError

_SLOPES = (0.001, 50.0)


def fit_calibration(
    logits: FloatArray, labels: IntArray, prior_correction: tuple[float, ...]
) -> Calibration:
    """Minimise the log loss of ``softmax((z + c) / T + b)`` over ``T`` and ``b``.

    The problem is convex in ``1/T`` and ``b``; the first class's bias is fixed, since a constant
    added to every logit changes nothing, and the biases are centred afterwards.

    Parameters
    ----------
    logits : (n, k) floating
        Raw, of held-out rows in their natural proportions.
    labels : (n,) integer
        True classes.
    prior_correction
        What the loss left out of the logits.

    Raises
    ------
    TrainingError
        If the logits are not finite.

    References
    ----------
    Guo et al. (2017), "On Calibration of Modern Neural Networks", section 4.2. Alexandari et al.
    (2020), "Maximum Likelihood with Bias-Corrected Calibration is Hard-To-Beat at Label Shift
    Adaptation", section 4.
    """
    corrected = np.asarray(logits, dtype=np.float64) + np.asarray(prior_correction)
    if not np.isfinite(corrected).all():
        raise TrainingError("cannot calibrate: the model gives logits that are not finite")
    n, k = corrected.shape
    truth = np.eye(k)[np.asarray(labels, dtype=np.int64)]

    def loss(point: FloatArray) -> tuple[float, FloatArray]:
        slope, bias = point[0], np.concatenate([[0.0], point[1:]])
        p = softmax(slope * corrected + bias)
        value = -np.log(np.maximum((p * truth).sum(axis=1), 1e-300)).mean()
        error = (p - truth) / n
        gradient = np.concatenate([[(error * corrected).sum()], error.sum(axis=0)[1:]])
        return float(value), gradient

    start = np.concatenate([[1.0], np.zeros(k - 1)])
    bounds = [_SLOPES] + [(-50.0, 50.0)] * (k - 1)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    bias = np.concatenate([[0.0], found.x[1:]])
    return Calibration(
        temperature=float(1 / found.x[0]),
        bias=tuple((bias - bias.mean()).tolist()),
        prior_correction=prior_correction,
        rows=n,
    )
