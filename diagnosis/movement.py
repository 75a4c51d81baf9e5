"""How far outputs and inputs move from one row to the next, and the ratio of the two.

Collapse means that outputs stop following inputs. The *gain*, movement of the coordinates per
unit of input movement, says so whatever the market does; it is undefined where the input stands
still, so it cannot blame the model for the feed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plumbline.bundle.array import AnyArray, FloatArray, IntArray


def previous_rows(symbol: AnyArray | None, n: int) -> IntArray:
    """Position of the previous row of the same symbol, -1 where there is none: ``(n,) int64``."""
    if symbol is None or n == 0:
        return np.arange(-1, n - 1, dtype=np.int64)
    _, codes = np.unique(symbol, return_inverse=True)
    order = np.argsort(codes, kind="stable")
    previous = np.full(n, -1, np.int64)
    same = codes[order[1:]] == codes[order[:-1]]
    previous[order[1:][same]] = order[:-1][same]
    return previous


@dataclass(frozen=True)
class Movement:
    """Steps of a stream.

    Attributes
    ----------
    moved : (n,) bool
        There is a previous row of the symbol and the input differs from it.
    still : (n,) bool
        There is one, and the input is the same.
    input_step : (n,) float64
        ``||dx / sd|| / sqrt(f)``; NaN where there is no previous row.
    output_step : (n,) float64
        ``max_c |d coordinate_c|``; NaN where there is no previous row.
    gain : (n,) float64
        Output step over input step; NaN where the input did not move.
    """

    moved: np.ndarray
    still: np.ndarray
    input_step: FloatArray
    output_step: FloatArray
    gain: FloatArray


def movement(
    features: FloatArray, coordinates: FloatArray, previous: IntArray, scale: FloatArray
) -> Movement:
    """Measure every step of a stream.

    Parameters
    ----------
    features : (n, f) floating
    coordinates : (n, c) float64
        Of one output.
    previous : (n,) int64
        From `previous_rows`.
    scale : (f,) float64
        Standard deviation of each feature's steps in the reference.
    """
    has = previous >= 0
    before = np.where(has, previous, 0)
    steps = (np.asarray(features, np.float64) - np.asarray(features, np.float64)[before]) / scale
    size = np.sqrt((steps**2).mean(axis=1))
    out = np.abs(coordinates - coordinates[before]).max(axis=1)
    moved = has & (size > 0)
    gain = np.full(len(size), np.nan)
    gain[moved] = out[moved] / size[moved]
    return Movement(
        moved=moved,
        still=has & (size == 0),
        input_step=np.where(has, size, np.nan),
        output_step=np.where(has, out, np.nan),
        gain=gain,
    )


def step_scale(features: FloatArray, previous: IntArray) -> FloatArray:
    """Root mean square of each feature's steps, 1 where it never moves: ``(f,) float64``."""
    x = np.asarray(features, np.float64)
    has = previous >= 0
    if not has.any():
        return np.ones(x.shape[1])
    scale: FloatArray = np.sqrt(((x[has] - x[previous[has]]) ** 2).mean(axis=0))
    return np.where(scale > 0, scale, 1.0)
