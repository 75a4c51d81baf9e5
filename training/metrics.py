"""Scores of probabilities and actions against labels, for the validation report."""

from __future__ import annotations

import numpy as np

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.training.labels import CLASSES, MASKED

_TINY = 1e-12


def log_loss(probabilities: FloatArray, labels: IntArray) -> float:
    """Return the mean negative log probability of the true class, in nats."""
    chosen = np.asarray(probabilities, np.float64)[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(chosen, _TINY)).mean())


def brier(probabilities: FloatArray, labels: IntArray) -> float:
    """Return the mean squared distance to the truth, summed over classes: 0 to 2.

    References
    ----------
    Brier (1950), "Verification of Forecasts Expressed in Terms of Probability", eq. 2.
    """
    truth = np.eye(probabilities.shape[1])[labels]
    return float(((probabilities - truth) ** 2).sum(axis=1).mean())


def calibration_error(probabilities: FloatArray, labels: IntArray, bins: int = 10) -> float:
    """Return the expected calibration error of the most probable class, in equal-width bins.

    References
    ----------
    Guo et al. (2017), "On Calibration of Modern Neural Networks", eq. 3.
    """
    confidence = probabilities.max(axis=1)
    hit = probabilities.argmax(axis=1) == labels
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs(float(hit[place == b].mean() - confidence[place == b].mean()))
        * float((place == b).mean())
        for b in np.unique(place)
    ]
    return float(sum(gaps))


def macro_f1(actions: IntArray, labels: IntArray, classes: int) -> float:
    """Return the mean over classes of ``2 TP / (predicted + true)``; zero where both are absent."""
    scores = []
    for each in range(classes):
        hits = int(((actions == each) & (labels == each)).sum())
        total = int((actions == each).sum() + (labels == each).sum())
        scores.append(2 * hits / total if total else 0.0)
    return float(np.mean(scores))


def score(
    probabilities: FloatArray, actions: IntArray, labels: IntArray, prior: tuple[float, ...]
) -> dict[str, float]:
    """Score every labelled row.

    Parameters
    ----------
    probabilities : (n, k) floating
        Calibrated.
    actions : (n,) integer
        Of the decision policy.
    labels : (n,) integer
        `MASKED` rows are left out.
    prior
        Of the training labels.

    Returns
    -------
    dict
        ``log_loss_constant`` is that of the best constant in hindsight, the rows' own label shares;
        ``log_loss_prior`` that of the training prior. Without labelled rows, only the shares.
    """
    shares = np.bincount(actions, minlength=len(CLASSES)) / max(len(actions), 1)
    result = {f"share_{name.lower()}": float(s) for name, s in zip(CLASSES, shares, strict=True)}
    known = labels != MASKED
    result["rows_labelled"] = float(known.sum())
    if not known.any():
        return result
    truth, taken, p = labels[known].astype(np.int64), actions[known], probabilities[known]
    counts = np.bincount(truth, minlength=len(CLASSES))
    own = np.tile(counts / counts.sum(), (len(truth), 1))
    for number, name in enumerate(CLASSES):
        if counts[number]:
            result[f"recall_{name.lower()}"] = float((taken[truth == number] == number).mean())
    return result | {
        "log_loss": log_loss(p, truth),
        "log_loss_constant": log_loss(own, truth),
        "log_loss_prior": log_loss(np.tile(prior, (len(truth), 1)), truth),
        "accuracy": float((taken == truth).mean()),
        "majority_share": float(own[0].max()),
        "macro_f1": macro_f1(taken, truth, len(CLASSES)),
        "ece": calibration_error(p, truth),
        "brier": brier(p, truth),
    }
