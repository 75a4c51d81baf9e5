"""Which feature columns are not what they were: zero, stale, rescaled, shifted, or another column.

Marginals alone cannot tell a client's unit error from a volatile week: both change the scale of a
column. The columns' relation to each other can. Each column is predicted from all others; in a
volatile week the slope of the column on its prediction stays one, while a column that arrives three
times too large, or that is really another column, breaks it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from plumbline.bundle.array import AnyArray, BoolArray, FloatArray, IntArray

_PENALTY = 0.01
_CLIP = 8.0
_PRIOR = 0.1
_LAG = 24


def zero_share(features: FloatArray) -> FloatArray:
    """Share of rows in which each column is exactly zero: ``(n, f)`` to ``(f,) float64``."""
    shares: FloatArray = (np.asarray(features) == 0).mean(axis=0)
    return shares


def repeat_share(features: FloatArray, previous: np.ndarray) -> FloatArray:
    """Share of steps in which each column keeps its value exactly: ``(f,) float64``."""
    has = previous >= 0
    if not has.any():
        return np.zeros(features.shape[1])
    shares: FloatArray = (features[has] == features[previous[has]]).mean(axis=0)
    return shares


@dataclass(frozen=True)
class Relation:
    """How each column relates to the others in one window of rows: all ``(f,) float64``.

    Of many windows, ``(w, f)``.

    Attributes
    ----------
    slope
        Of the column on its prediction from the others, through the reference's mean, and shrunk
        towards one so that a window in which nothing happens says nothing.
    level
        Mean of column minus prediction, relative to the size of the prediction: a volatile week
        stretches both.
    outside
        Share of rows farther out than the column may well reach.
    size
        Median distance from the reference's mean, in its standard deviations.
    """

    slope: FloatArray
    level: FloatArray
    outside: FloatArray
    size: FloatArray


@dataclass(frozen=True)
class ColumnModel:
    """Each column predicted from all others.

    Attributes
    ----------
    centre, scale : (f,) float64
        Of the features it was fitted on.
    low, high : (f,) float64
        How far they may well reach: the range seen, extended by a tenth of it, by the length of the
        tail beyond the outer hundredth, and by up to three times the range the longer a column
        remembers, since of a slow column the reference shows few values.
    precision : (f, f) float64
        Inverse of the ridge-regularised correlation matrix. Column ``j`` given the others is
        predicted by ``x_j - (precision x)_j / precision_jj``.

    References
    ----------
    Lauritzen (1996), "Graphical Models", section 5.1: the concentration matrix holds the regression
    of each variable on all the others.
    """

    centre: FloatArray
    scale: FloatArray
    low: FloatArray
    high: FloatArray
    precision: FloatArray

    @cached_property
    def related(self) -> BoolArray:
        """Columns of whose variance the others explain at least half: ``(f,)``."""
        return 1.0 - 1.0 / np.diag(self.precision) >= 0.5

    def apart(self, features: FloatArray) -> FloatArray:
        """How far each column lies from what the others say of it, absolutely: ``(n, f)``."""
        z = np.clip((np.asarray(features, np.float64) - self.centre) / self.scale, -_CLIP, _CLIP)
        found: FloatArray = np.abs(z @ (self.precision / np.diag(self.precision)))
        return found

    def relate(self, features: FloatArray) -> Relation:
        """Measure a window ``(n, f)``, or many of one length ``(w, n, f)`` at once."""
        x = np.asarray(features, np.float64)
        z = np.clip((x - self.centre) / self.scale, -_CLIP, _CLIP)
        predicted = z - z @ self.precision / np.diag(self.precision)
        power = (predicted**2).mean(axis=-2)
        beyond = (x < self.low) | (x > self.high)
        return Relation(
            slope=((predicted * z).mean(axis=-2) + _PRIOR) / (power + _PRIOR),
            level=(z - predicted).mean(axis=-2) / np.sqrt(1 + power),
            outside=beyond.mean(axis=-2),
            size=np.median(np.abs(x - self.centre) / self.scale, axis=-2),
        )


@dataclass(frozen=True)
class ColumnRelations:
    """How far from usual the columns of single rows are to each other.

    Attributes
    ----------
    columns
        Says of each column what the others make it.
    far, outer : (f,) float64
        Distances that no row of the reference comes to, and that one in two hundred does.
    """

    columns: ColumnModel
    far: FloatArray
    outer: FloatArray

    def count(self, apart: FloatArray) -> tuple[IntArray, IntArray]:
        """Count the far and the unusual columns of rows of `ColumnModel.apart`: ``(n,)`` each."""
        return (apart > self.far).sum(axis=1), (apart > self.outer).sum(axis=1)


def fit_columns(features: FloatArray, symbol: AnyArray) -> ColumnModel:
    """Fit on reference rows ``(n, f)`` of symbols ``(n,)``, oldest first."""
    x = np.asarray(features, np.float64)
    centre, scale = x.mean(axis=0), x.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    z = np.clip((x - centre) / scale, -_CLIP, _CLIP)
    covariance = z.T @ z / len(z) + _PENALTY * np.eye(z.shape[1])
    least, most = x.min(axis=0), x.max(axis=0)
    rare, common = np.quantile(x, [0.01, 0.99], axis=0)
    apart = z[np.argsort(symbol, kind="stable")]
    own = np.sort(symbol)[_LAG:] == np.sort(symbol)[:-_LAG]
    products = (apart[_LAG:] * apart[:-_LAG])[own]
    memory = np.clip(products.mean(axis=0), 0.0, 1.0) if len(products) else np.ones(z.shape[1])
    margin = (0.1 + 3.0 * memory) * (most - least)
    return ColumnModel(
        centre=centre,
        scale=scale,
        low=least - margin - (rare - least),
        high=most + margin + (most - common),
        precision=np.linalg.inv(covariance),
    )
