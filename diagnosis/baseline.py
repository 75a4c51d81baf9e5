"""What the reference looks like in windows as short as the live ones.

A mean over a hundred consecutive bars scatters far more than a hundred independent rows would. So
every bound is the widest value seen in windows of the reference itself, measured with the same
code as the live rows; each window is held against models fitted on the reference's *other* half.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.reference import ReferenceProfile
from plumbline.diagnosis.column import ColumnModel, Relation, fit_columns, repeat_share, zero_share
from plumbline.diagnosis.movement import clr, movement, previous_rows, step_scale
from plumbline.diagnosis.psi import bin_edges, bin_shares, psi
from plumbline.diagnosis.spread import probability_spread
from plumbline.diagnosis.surrogate import Surrogate, cross_fit, explained, fit_surrogate

LENGTHS = (60, 100, 200, 400)
MIN_REFERENCE = 120
_MOST_WINDOWS = 300


@dataclass(frozen=True)
class Envelope:
    """The widest values over windows of one length.

    Attributes
    ----------
    length
        Rows of a window.
    windows
        How many of them, end to end, fill the reference.
    offset
        Largest difference between two classes' mean residuals, in nats.
    residual
        Largest root mean square of residuals around their mean, in nats.
    alignment
        Smallest correlation of log-probabilities with the surrogate's.
    gain_low, gain_high
        Smallest and largest median gain.
    spread
        Smallest standard deviation of probabilities.
    slope_low, slope_high, level : (f,) float64
        Of `diagnosis.column.Relation`; ``level`` is absolute.
    outside, repeat, psi : (f,) float64
        Largest share of rows outside the range, largest share of rows in which the column keeps its
        value, largest stability index.
    """

    length: int
    windows: float
    offset: float
    residual: float
    alignment: float
    gain_low: float
    gain_high: float
    spread: float
    slope_low: FloatArray
    slope_high: FloatArray
    level: FloatArray
    outside: FloatArray
    repeat: FloatArray
    psi: FloatArray


def alignment(log_ratios: FloatArray, predicted: FloatArray) -> float:
    """Correlation of two ``(n, k)`` arrays without their columns' means; 0 if one is constant."""
    left = log_ratios - log_ratios.mean(axis=0)
    right = predicted - predicted.mean(axis=0)
    size = float(np.sqrt((left**2).sum() * (right**2).sum()))
    return float((left * right).sum()) / size if size > 0 else 0.0


@dataclass(frozen=True)
class Baseline:
    """The reference, measured once.

    Attributes
    ----------
    reference
        The profile measured.
    step_scale : (f,) float64
    log_ratios, residuals : (n, k) float64
        Residuals are cross-fitted.
    gain : (n,) float64
        NaN where the input did not move.
    previous : (n,) int64
    surrogate, columns
        Fitted on the whole reference, for live rows.
    explained
        Share of variance the surrogate explains out of sample; None if the outputs are constant.
    zero : (f,) float64
        Share of rows in which each column is zero.
    """

    reference: ReferenceProfile
    step_scale: FloatArray
    log_ratios: FloatArray
    residuals: FloatArray
    gain: FloatArray
    previous: IntArray
    surrogate: Surrogate
    columns: ColumnModel
    explained: float | None
    zero: FloatArray
    edges: tuple[FloatArray, ...]
    bins: tuple[FloatArray, ...]
    _halves: tuple[ColumnModel, ColumnModel]
    _envelopes: dict[int, Envelope] = field(default_factory=dict, compare=False)

    def envelope(self, n: int) -> Envelope:
        """Return the bounds for a sample of ``n`` rows.

        Those of the longest window no longer than the sample, nor than a tenth of the reference:
        the widest of three windows says little about the next one. A longer sample scatters less,
        so the bounds err towards silence.
        """
        room = min(n, len(self.reference) // 10)
        length = max((each for each in LENGTHS if each <= room), default=max(room, 20))
        if length not in self._envelopes:
            self._envelopes[length] = self._measure(length)
        return self._envelopes[length]

    @cached_property
    def median_gain(self) -> float | None:
        """Median gain of the whole reference; None if it is zero, or no input ever moved."""
        found = self._median_gain(slice(None))
        return found or None

    def column_psi(self, features: FloatArray) -> FloatArray:
        """Population stability index of each column: ``(n, f)`` to ``(f,) float64``."""
        return _psi(features, self.edges, self.bins)

    def _measure(self, length: int) -> Envelope:
        rows = list(self._windows(length))
        ratios, residuals = self.log_ratios, self.residuals
        offsets = [residuals[r].mean(axis=0) for r in rows]
        gains = [g for r in rows if (g := self._median_gain(r)) is not None] or [0.0]
        relations = [self._relation(r) for r in rows]
        features = self.reference.features
        spreads = [probability_spread(self.reference.probabilities[r]) or 0.0 for r in rows]
        return Envelope(
            length=length,
            windows=len(self.reference) / length,
            offset=max(float(np.ptp(o)) for o in offsets),
            residual=max(
                float(np.sqrt(((residuals[r] - o) ** 2).sum(axis=1).mean()))
                for r, o in zip(rows, offsets, strict=True)
            ),
            alignment=min(alignment(ratios[r], ratios[r] - residuals[r]) for r in rows),
            gain_low=min(gains),
            gain_high=max(gains),
            spread=min(spreads),
            slope_low=np.min([each.slope for each in relations], axis=0),
            slope_high=np.max([each.slope for each in relations], axis=0),
            level=np.max([np.abs(each.level) for each in relations], axis=0),
            outside=np.max([each.outside for each in relations], axis=0),
            repeat=np.max([self._repeat(r) for r in rows], axis=0),
            psi=np.max([self._other_half_psi(features, r) for r in rows], axis=0),
        )

    def _windows(self, length: int) -> Iterator[slice]:
        last = len(self.reference) - length
        stride = max(1, length // 5, last // _MOST_WINDOWS)
        for start in range(0, last + 1, stride):
            yield slice(start, start + length)

    def _median_gain(self, rows: slice) -> float | None:
        gain = self.gain[rows]
        gain = gain[np.isfinite(gain)]
        return float(np.median(gain)) if len(gain) else None

    def _repeat(self, rows: slice) -> FloatArray:
        previous = np.arange(-1, rows.stop - rows.start - 1)
        return repeat_share(self.reference.features[rows], previous)

    def _relation(self, rows: slice) -> Relation:
        other = self._halves[1 if self._middle(rows) < len(self.reference) / 2 else 0]
        return other.relate(self.reference.features[rows])

    def _other_half_psi(self, features: FloatArray, rows: slice) -> FloatArray:
        half = len(self.reference) // 2
        other = features[half:] if self._middle(rows) < half else features[:half]
        return _psi(features[rows], self.edges, _fill(other, self.edges))

    @staticmethod
    def _middle(rows: slice) -> float:
        return float(rows.start + rows.stop) / 2


def fit_baseline(reference: ReferenceProfile) -> Baseline | None:
    """Measure a reference; None if it has fewer than `MIN_REFERENCE` rows."""
    n = len(reference)
    if n < MIN_REFERENCE:
        return None
    features = np.asarray(reference.features, np.float64)
    log_ratios = clr(reference.probabilities)
    previous = previous_rows(reference.symbol, n)
    scale = step_scale(features, previous)
    residuals, penalty = cross_fit(features, log_ratios)
    edges = tuple(bin_edges(column) for column in features.T)
    return Baseline(
        reference=reference,
        step_scale=scale,
        log_ratios=log_ratios,
        residuals=residuals,
        gain=movement(features, log_ratios, previous, scale).gain,
        previous=previous,
        surrogate=fit_surrogate(features, log_ratios, penalty),
        columns=fit_columns(features),
        explained=explained(residuals, log_ratios),
        zero=zero_share(reference.features),
        edges=edges,
        bins=_fill(features, edges),
        _halves=(fit_columns(features[: n // 2]), fit_columns(features[n // 2 :])),
    )


def _fill(features: FloatArray, edges: tuple[FloatArray, ...]) -> tuple[FloatArray, ...]:
    return tuple(bin_shares(x, e) for x, e in zip(features.T, edges, strict=True))


def _psi(
    features: FloatArray, edges: tuple[FloatArray, ...], bins: tuple[FloatArray, ...]
) -> FloatArray:
    pairs = zip(_fill(features, edges), bins, strict=True)
    return np.array([psi(current, reference) for current, reference in pairs])
