"""Simple rivals of a model: logistic and ridge regression, by themselves, on a few columns."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.calibration import softmax

CLIP = 5.0
_PENALTY = 10.0
"""In rows: each weight is worth so many of them at zero."""


class Scale:
    """Columns in their own standard deviations, clipped: those of the rows it is made of."""

    def __init__(self, columns: FloatArray) -> None:
        x = np.asarray(columns, np.float64)
        self._mean, spread = x.mean(axis=0), x.std(axis=0)
        self._spread = np.where(spread > 0, spread, 1.0)

    def __call__(self, columns: FloatArray) -> FloatArray:
        """Return ``(n, f)`` of the same columns, in units."""
        units = (np.asarray(columns, np.float64) - self._mean) / self._spread
        clipped: FloatArray = np.clip(units, -CLIP, CLIP)
        return clipped


def clock_columns(time: IntArray) -> FloatArray:
    """Return hour of the day and day of the week as 31 columns of noughts and ones, UTC."""
    hours = time // 3_600_000_000
    return np.concatenate([np.eye(24)[hours % 24], np.eye(7)[(hours // 24 + 3) % 7]], axis=1)


def fit_logistic(
    columns: FloatArray, places: IntArray, classes: int, *, penalty: float = _PENALTY
) -> FloatArray:
    """Fit a multinomial logistic regression: weights ``(f + 1, classes)``, the constant last.

    Parameters
    ----------
    columns : (n, f) float64
        In units of about one.
    places : (n,) int64
    classes
        How many there are.
    penalty
        Of the squared weights, in rows; the constants are free.
    """
    x = np.concatenate([columns, np.ones((len(columns), 1))], axis=1)
    hits = np.eye(classes)[places]
    ridge = np.full((x.shape[1], 1), penalty)
    ridge[-1] = 1e-6

    def loss(flat: FloatArray) -> tuple[float, FloatArray]:
        weights = flat.reshape(x.shape[1], classes)
        p = softmax(x @ weights)
        nats = -np.log(np.maximum(p[np.arange(len(x)), places], 1e-300)).sum()
        nats += 0.5 * float((ridge * weights**2).sum())
        gradient = x.T @ (p - hits) + ridge * weights
        return float(nats) / len(x), (gradient / len(x)).ravel()

    start = np.zeros((x.shape[1], classes))
    start[-1] = np.log(np.maximum(hits.mean(axis=0), 1e-3))
    found = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 100})
    weights: FloatArray = found.x.reshape(x.shape[1], classes)
    return weights


def logistic(columns: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the probabilities ``(n, classes)`` that fitted weights give."""
    return softmax(columns @ weights[:-1] + weights[-1])


def fit_ridge(columns: FloatArray, wanted: FloatArray, *, share: float = 0.01) -> FloatArray:
    """Fit ridge regression of ``(n, t)`` on ``(n, f)``: weights ``(f + 1, t)``, the constant last.

    ``share`` is the penalty as a share of the rows.
    """
    middle, level = columns.mean(axis=0), wanted.mean(axis=0)
    x, y = columns - middle, wanted - level
    ridge = (share * len(x) + 1e-6) * np.eye(x.shape[1])
    slopes = np.linalg.solve(x.T @ x + ridge, x.T @ y)
    weights: FloatArray = np.concatenate([slopes, (level - middle @ slopes)[None]])
    return weights


def ridge(columns: FloatArray, weights: FloatArray) -> FloatArray:
    """Return what fitted weights give: ``(n, t)``."""
    found: FloatArray = columns @ weights[:-1] + weights[-1]
    return found


def correlation(left: FloatArray, right: FloatArray) -> float:
    """Return the correlation of two columns ``(n,)``; 0 where one is constant."""
    a, b = left - left.mean(), right - right.mean()
    size = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum()) / size if size > 0 else 0.0
