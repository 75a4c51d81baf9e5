"""Resampling whole blocks of a stream, so that its memory survives."""

from __future__ import annotations

import numpy as np

from plumbline.bundle.array import BoolArray, FloatArray, IntArray
from plumbline.bundle.finding import Interval
from plumbline.diagnosis.e_process import peaks


def block_indices(n: int, length: int, block: int, rng: np.random.Generator) -> IntArray:
    """Positions of one resampled stream: blocks of geometric length, wrapped at the end.

    Parameters
    ----------
    n
        Rows of the stream sampled from.
    length
        Rows of the stream made.
    block
        Mean block length; at least ten times the integrated autocorrelation time is advised.
    rng
        Source of randomness.

    Returns
    -------
    (length,) int64

    References
    ----------
    Politis and Romano (1994), "The Stationary Bootstrap".
    """
    fresh = rng.random(length) < 1.0 / max(block, 1)
    fresh[0] = True
    starts = rng.integers(0, n, length)
    last = np.maximum.accumulate(np.where(fresh, np.arange(length), 0))
    positions: IntArray = (starts[last] + np.arange(length) - last) % n
    return positions


def mean_interval(
    values: FloatArray, *, level: float = 0.95, block: int = 24, draws: int = 200, seed: int = 0
) -> Interval | None:
    """Block-bootstrap percentile interval of a mean.

    Parameters
    ----------
    values : (n,) floating
        In time order.
    level
        Two-sided coverage.
    block
        Mean block length.
    draws, seed
        Resamples, and the seed that makes them repeatable.

    Returns
    -------
    Interval, or None for fewer than two values
    """
    n = len(values)
    if n < 2:
        return None
    rng = np.random.default_rng(seed)
    block = min(block, max(1, n // 4))
    means = [values[block_indices(n, n, block, rng)].mean() for _ in range(draws)]
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(low=float(low), high=float(high), level=level)


def highest_evidence(
    bounds: FloatArray,
    events: IntArray,
    breaks: BoolArray,
    *,
    paths: int,
    rows: int,
    block: int,
    rng: np.random.Generator,
) -> FloatArray:
    """Highest evidence of each bet on a healthy stream as it was, and on resampled ones.

    It sees a null that does not hold where theory cannot, but it vouches for run lengths only up to
    about those of the streams it looked at.

    Parameters
    ----------
    bounds : (j, 2, LEVELS) float64
        Learnt from *other* healthy rows.
    events : (n, j) int8
    breaks : (n,) bool
        Where another symbol begins.
    paths, rows, block
        Number and length of the resampled streams, and their mean block length.
    rng
        Source of randomness.

    Returns
    -------
    (j,) float64
        In nats.
    """
    found = peaks(bounds, events[None], breaks[None])
    if paths == 0:
        return found
    drawn = np.stack([block_indices(len(events), rows, block, rng) for _ in range(paths)])
    jumps = np.diff(drawn, axis=1, prepend=drawn[:, :1] - 1) != 1
    return np.maximum(found, peaks(bounds, events[drawn], jumps | breaks[drawn]))
