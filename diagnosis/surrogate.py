"""A stand-in for the reference model: what it would have said for these inputs.

A share of 99 % HOLD may be a quiet market or a dead model. The surrogate tells them apart: ridge
regression from the features of a row to the reference model's coordinates. Where the live head
says something else for the very same input, whatever the market does, it is the model that differs.
It is worth its share of explained variance, which is reported beside every use.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plumbline.bundle.array import BoolArray, FloatArray

PENALTIES = (1.0, 10.0, 100.0, 1_000.0)
_CLIP = 4.0


@dataclass(frozen=True)
class Surrogate:
    """A fitted stand-in.

    Attributes
    ----------
    centre, scale : (f,) float64
        Of the features it was fitted on.
    weights : (2 f + 1, c) float64
        On standardised features, their squares, and a constant.
    """

    centre: FloatArray
    scale: FloatArray
    weights: FloatArray

    def knows(self, features: FloatArray) -> BoolArray:
        """Tell for which rows it may be asked: those within four standard deviations, ``(n,)``."""
        z = (np.asarray(features, np.float64) - self.centre) / self.scale
        return np.asarray((np.abs(z) <= _CLIP).all(axis=1))

    def predict(self, features: FloatArray) -> FloatArray:
        """Return coordinates ``(n, c) float64`` for features ``(n, f)``."""
        predicted: FloatArray = _expand(features, self.centre, self.scale) @ self.weights
        return predicted


def fit_surrogate(features: FloatArray, coordinates: FloatArray, penalty: float) -> Surrogate:
    """Fit by ridge regression.

    Parameters
    ----------
    features : (n, f) floating
        Standardised inside and clipped at four standard deviations, so that a bar unlike any
        before does not extrapolate.
    coordinates : (n, c) float64
        Of one output.
    penalty
        Ridge penalty, in rows.

    References
    ----------
    Hoerl and Kennard (1970), "Ridge Regression: Biased Estimation for Nonorthogonal Problems".
    """
    x = np.asarray(features, np.float64)
    centre, scale = x.mean(axis=0), x.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    design = _expand(x, centre, scale)
    ridge = np.full(design.shape[1], penalty)
    ridge[-1] = 0.0  # the constant is free
    weights = np.linalg.solve(
        design.T @ design + np.diag(ridge + 1e-9 * len(x)), design.T @ coordinates
    )
    return Surrogate(centre, scale, weights)


def cross_fit(features: FloatArray, coordinates: FloatArray) -> tuple[FloatArray, float]:
    """Residuals of each half under the other half's surrogate, and the penalty making them least.

    A residual of the rows a surrogate was fitted on would be too small to compare live rows with.

    Returns
    -------
    residuals : (n, c) float64
    penalty
        One of `PENALTIES`.
    """
    half = len(features) // 2
    first, second = slice(0, half), slice(half, None)
    best: tuple[float, FloatArray, float] | None = None
    for penalty in PENALTIES:
        residuals = np.empty_like(coordinates)
        for inside, outside in ((first, second), (second, first)):
            fitted = fit_surrogate(features[inside], coordinates[inside], penalty)
            residuals[outside] = coordinates[outside] - fitted.predict(features[outside])
        loss = float((residuals**2).mean())
        if best is None or loss < best[0]:
            best = (loss, residuals, penalty)
    if best is None:
        raise ValueError("PENALTIES must not be empty")
    return best[1], best[2]


def explained(residuals: FloatArray, coordinates: FloatArray) -> float | None:
    """Share of the coordinates' variance that cross-fitted residuals leave explained."""
    total = float(((coordinates - coordinates.mean(axis=0)) ** 2).sum())
    if total <= 0:
        return None
    return 1.0 - float((residuals**2).sum()) / total


def _expand(features: FloatArray, centre: FloatArray, scale: FloatArray) -> FloatArray:
    z = np.clip((np.asarray(features, np.float64) - centre) / scale, -_CLIP, _CLIP)
    return np.hstack([z, z**2, np.ones((len(z), 1))])
