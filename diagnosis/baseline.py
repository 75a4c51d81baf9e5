"""What the reference looks like in windows as short as the live ones.

A mean over a hundred consecutive bars scatters far more than a hundred independent rows would. So
every bound is the widest value seen in windows of the reference itself, measured with the same
code as the live rows; each window is held against models fitted on the reference's *other* half.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.reading import Reading
from plumbline.bundle.reference import ReferenceProfile
from plumbline.diagnosis.column import ColumnModel, Relation, fit_columns, repeat_share, zero_share
from plumbline.diagnosis.movement import previous_rows, step_scale
from plumbline.diagnosis.output_baseline import OutputBaseline, fit_output
from plumbline.diagnosis.psi import bin_edges, bin_shares, psi

LENGTHS = (60, 100, 200, 400)
MIN_REFERENCE = 120
_MOST_WINDOWS = 300


@dataclass(frozen=True)
class InputEnvelope:
    """The widest values of the columns over windows of one length.

    Attributes
    ----------
    length
        Rows of a window.
    windows
        How many of them, end to end, fill the reference.
    slope_low, slope_high, level : (f,) float64
        Of `diagnosis.column.Relation`; ``level`` is absolute.
    outside, repeat, psi : (f,) float64
        Largest share of rows outside the range, largest share of rows in which the column keeps its
        value, largest stability index.
    """

    length: int
    windows: float
    slope_low: FloatArray
    slope_high: FloatArray
    level: FloatArray
    outside: FloatArray
    repeat: FloatArray
    psi: FloatArray


@dataclass(frozen=True)
class Baseline:
    """The reference, measured once, its rows in the order in which live ones come.

    Of several symbols that is moment by moment, and not symbol by symbol as the profile has them: a
    window of live rows holds a few moments of every symbol, and halves of the reference are early
    and late, not one symbol and another.

    Attributes
    ----------
    reference
        The profile measured, in live order.
    place : (n,) int64
        Where each row of the profile lies in that order.
    outputs
        By output.
    step_scale : (f,) float64
    previous : (n,) int64
    columns
        Fitted on the whole reference, for live rows.
    zero : (f,) float64
        Share of rows in which each column is zero.
    """

    reference: ReferenceProfile
    place: IntArray
    outputs: Mapping[str, OutputBaseline]
    step_scale: FloatArray
    previous: IntArray
    columns: ColumnModel
    zero: FloatArray
    edges: tuple[FloatArray, ...]
    bins: tuple[FloatArray, ...]
    _halves: tuple[ColumnModel, ColumnModel]
    _envelopes: dict[int, InputEnvelope] = field(default_factory=dict, compare=False)

    def length_for(self, n: int) -> int:
        """Return how long the reference's windows are for a sample of ``n`` rows.

        The longest no longer than the sample, nor than a tenth of the reference: the widest of
        three windows says little about the next one. A longer sample scatters less, so the bounds
        err towards silence.
        """
        room = min(n, len(self.reference) // 10)
        return max((each for each in LENGTHS if each <= room), default=max(room, 20))

    def envelope(self, n: int) -> InputEnvelope:
        """Return the columns' bounds for a sample of ``n`` rows."""
        length = self.length_for(n)
        if length not in self._envelopes:
            self._envelopes[length] = self._measure(length)
        return self._envelopes[length]

    def column_psi(self, features: FloatArray) -> FloatArray:
        """Population stability index of each column: ``(n, f)`` to ``(f,) float64``."""
        return _psi(features, self.edges, self.bins)

    def _measure(self, length: int) -> InputEnvelope:
        rows = list(stretches(len(self.reference), length))
        relations = [self._relation(r) for r in rows]
        features = self.reference.features
        return InputEnvelope(
            length=length,
            windows=len(self.reference) / length,
            slope_low=np.min([each.slope for each in relations], axis=0),
            slope_high=np.max([each.slope for each in relations], axis=0),
            level=np.max([np.abs(each.level) for each in relations], axis=0),
            outside=np.max([each.outside for each in relations], axis=0),
            repeat=np.max([self._repeat(r) for r in rows], axis=0),
            psi=np.max([self._other_half_psi(features, r) for r in rows], axis=0),
        )

    def _repeat(self, rows: slice) -> FloatArray:
        some = self.reference.take(rows)
        return repeat_share(some.features, previous_rows(some.symbol, len(some)))

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


def stretches(n: int, length: int) -> Iterator[slice]:
    """Yield overlapping stretches of so many of ``n`` rows, not too many of them."""
    last = n - length
    stride = max(1, length // 5, last // _MOST_WINDOWS)
    for start in range(0, last + 1, stride):
        yield slice(start, start + length)


def fit_baseline(reference: ReferenceProfile, readings: Mapping[str, Reading]) -> Baseline | None:
    """Measure a reference; None if it has fewer than `MIN_REFERENCE` rows.

    Parameters
    ----------
    reference
        The healthy stream.
    readings
        What its heads read in it, by output.
    """
    n = len(reference)
    if n < MIN_REFERENCE:
        return None
    order = _live_order(reference)
    reference = reference.take(order)
    readings = {name: reading.take(order) for name, reading in readings.items()}
    features = np.asarray(reference.features, np.float64)
    previous = previous_rows(reference.symbol, n)
    scale = step_scale(features, previous)
    edges = tuple(bin_edges(column) for column in features.T)
    return Baseline(
        reference=reference,
        place=np.argsort(order, kind="stable"),
        outputs={
            name: fit_output(
                reading, features, previous, scale, lambda length: stretches(n, length)
            )
            for name, reading in readings.items()
        },
        step_scale=scale,
        previous=previous,
        columns=fit_columns(features),
        zero=zero_share(reference.features),
        edges=edges,
        bins=_fill(features, edges),
        _halves=(fit_columns(features[: n // 2]), fit_columns(features[n // 2 :])),
    )


def _live_order(reference: ReferenceProfile) -> IntArray:
    """Return the order in which rows like the reference's come: of several symbols by moment."""
    if len(np.unique(reference.symbol)) == 1:
        return np.arange(len(reference))
    return np.lexsort((reference.group, reference.bar_time))


def _fill(features: FloatArray, edges: tuple[FloatArray, ...]) -> tuple[FloatArray, ...]:
    return tuple(bin_shares(x, e) for x, e in zip(features.T, edges, strict=True))


def _psi(
    features: FloatArray, edges: tuple[FloatArray, ...], bins: tuple[FloatArray, ...]
) -> FloatArray:
    pairs = zip(_fill(features, edges), bins, strict=True)
    return np.array([psi(current, reference) for current, reference in pairs])
