"""What one output of the reference looks like in windows as short as the live ones.

See `diagnosis.baseline`, whose windows these are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.reading import Reading
from plumbline.diagnosis.movement import movement
from plumbline.diagnosis.surrogate import Surrogate, cross_fit, explained, fit_surrogate

Windows: TypeAlias = Callable[[int], Iterator[slice | IntArray]]
"""From a length to the stretches of reference rows that are as long."""


@dataclass(frozen=True)
class OutputEnvelope:
    """The widest values of one output over windows of one length.

    Attributes
    ----------
    offset
        Largest `offset_size` of a mean residual.
    residual
        Largest root mean square of residuals around their mean.
    alignment
        Smallest correlation of coordinates with the surrogate's.
    gain_low, gain_high
        Smallest and largest median gain.
    """

    offset: float
    residual: float
    alignment: float
    gain_low: float
    gain_high: float


def offset_size(offset: FloatArray) -> float:
    """Size of an offset of coordinates ``(c,)``.

    Of a choice the largest difference between two of them, which is what moves the odds of one to
    another; of a single coordinate its distance from zero.
    """
    return float(np.ptp(offset)) if len(offset) > 1 else float(np.abs(offset).max())


def alignment(coordinates: FloatArray, predicted: FloatArray) -> float:
    """Correlation of two ``(n, c)`` arrays without their columns' means; 0 if one is constant."""
    left = coordinates - coordinates.mean(axis=0)
    right = predicted - predicted.mean(axis=0)
    size = float(np.sqrt((left**2).sum() * (right**2).sum()))
    return float((left * right).sum()) / size if size > 0 else 0.0


@dataclass(frozen=True)
class OutputBaseline:
    """One output of the reference, measured once.

    Attributes
    ----------
    coordinates, residuals : (n, c) float64
        Residuals are cross-fitted.
    gain : (n,) float64
        NaN where the input did not move.
    surrogate
        Fitted on the whole reference, for live rows.
    explained
        Share of variance the surrogate explains out of sample; None if the outputs are constant.
    centre : (w,) float64
        Mean reading.
    """

    coordinates: FloatArray
    residuals: FloatArray
    gain: FloatArray
    surrogate: Surrogate
    explained: float | None
    centre: FloatArray
    _windows: Windows = field(compare=False)
    _envelopes: dict[int, OutputEnvelope] = field(default_factory=dict, compare=False)

    def envelope(self, length: int) -> OutputEnvelope:
        """Return the bounds for windows of a length that `Baseline.length_for` gives."""
        if length not in self._envelopes:
            self._envelopes[length] = self._measure(list(self._windows(length)))
        return self._envelopes[length]

    def windowed(self, windows: Windows) -> OutputBaseline:
        """Return the same, measured in other windows."""
        return replace(self, _windows=windows, _envelopes={})

    @cached_property
    def median_gain(self) -> float | None:
        """Median gain of the whole reference; None if it is zero, or no input ever moved."""
        return self._median_gain(slice(None)) or None

    def _measure(self, rows: list[slice | IntArray]) -> OutputEnvelope:
        said, residuals = self.coordinates, self.residuals
        offsets = [residuals[r].mean(axis=0) for r in rows]
        gains = [g for r in rows if (g := self._median_gain(r)) is not None] or [0.0]
        return OutputEnvelope(
            offset=max(offset_size(o) for o in offsets),
            residual=max(
                float(np.sqrt(((residuals[r] - o) ** 2).sum(axis=1).mean()))
                for r, o in zip(rows, offsets, strict=True)
            ),
            alignment=min(alignment(said[r], said[r] - residuals[r]) for r in rows),
            gain_low=min(gains),
            gain_high=max(gains),
        )

    def _median_gain(self, rows: slice | IntArray) -> float | None:
        gain = self.gain[rows]
        gain = gain[np.isfinite(gain)]
        return float(np.median(gain)) if len(gain) else None


def fit_output(
    reading: Reading,
    features: FloatArray,
    previous: IntArray,
    scale: FloatArray,
    windows: Windows,
) -> OutputBaseline:
    """Measure one output of the reference.

    Parameters
    ----------
    reading
        Of the reference's rows.
    features : (n, f) float64
    previous, scale
        From `diagnosis.movement`.
    windows
        The stretches of rows of a length.
    """
    said = reading.coordinates
    residuals, penalty = cross_fit(features, said)
    return OutputBaseline(
        coordinates=said,
        residuals=residuals,
        gain=movement(features, said, previous, scale).gain,
        surrogate=fit_surrogate(features, said, penalty),
        explained=explained(residuals, said),
        centre=np.asarray(reading.centre, np.float64).mean(axis=0),
        _windows=windows,
    )
