"""What the reference looks like in windows as short as the live ones.

A mean over a hundred consecutive bars scatters far more than a hundred independent rows would. So
every bound is the widest value seen in windows of the reference itself, measured with the same
code as the live rows; each window is held against models fitted on the reference's *other* half.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from plumbline.bundle.array import BoolArray, FloatArray, IntArray
from plumbline.bundle.coverage import Coverage
from plumbline.bundle.reading import Reading
from plumbline.bundle.reference import ReferenceProfile
from plumbline.bundle.stress import StressRows
from plumbline.diagnosis.clock import clock_columns
from plumbline.diagnosis.column import (
    ColumnModel,
    ColumnRelations,
    Relation,
    fit_columns,
    repeat_share,
    zero_share,
)
from plumbline.diagnosis.movement import previous_rows, step_scale
from plumbline.diagnosis.output_baseline import OutputBaseline, Windows, fit_output
from plumbline.diagnosis.psi import bin_edges, bin_shares, psi
from plumbline.diagnosis.stress import Stress

LENGTHS = (60, 100, 200, 400)

SHORTEST = 20
"""Rows of a window, at least."""

FAR = 1.25
"""Times the farthest that a column of the reference lies from what the others say of it."""

LEAST_FAR = 0.5
"""Standard deviations: nearer is never far."""

OUTER = 0.995
"""Quantile of that distance beyond which it is unusual."""

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
    stress
        What the columns do in markets under stress.
    coverage
        How much the reference has seen.
    """

    reference: ReferenceProfile
    place: IntArray
    outputs: Mapping[str, OutputBaseline]
    step_scale: FloatArray
    previous: IntArray
    columns: ColumnModel
    zero: FloatArray
    coverage: Coverage
    edges: tuple[FloatArray, ...]
    bins: tuple[FloatArray, ...]
    stress: Stress
    _halves: tuple[ColumnModel, ColumnModel]
    _windows: Windows = field(compare=False)
    _longest: int = field(compare=False)
    _envelopes: dict[int, InputEnvelope] = field(default_factory=dict, compare=False)

    def length_for(self, n: int) -> int:
        """Return how long the reference's windows are for a sample of ``n`` rows.

        The longest no longer than the sample, nor than a tenth of the reference: the widest of
        three windows says little about the next one. A longer sample scatters less, so the bounds
        err towards silence.
        """
        room = min(n, len(self.reference) // 10, self._longest)
        return max((each for each in LENGTHS if each <= room), default=max(room, SHORTEST))

    @cached_property
    def apart(self) -> FloatArray:
        """How far each column of each row lies from what the others say of it, ``(n, f)``.

        By the relations of the half that the row is not in.
        """
        features, half = self.reference.features, len(self.reference) // 2
        early, late = self._halves
        return np.concatenate([late.apart(features[:half]), early.apart(features[half:])])

    @cached_property
    def relations(self) -> ColumnRelations:
        """How the columns of a row relate to each other, and how far that is from usual."""
        far, outer = FAR * self.apart.max(axis=0), np.quantile(self.apart, OUTER, axis=0)
        far, outer = (np.where(self.clock, np.inf, each) for each in (far, outer))
        return ColumnRelations(self.columns, np.maximum(far, LEAST_FAR), outer)

    @cached_property
    def clock(self) -> BoolArray:
        """Columns that the clock decides and no market moves, ``(f,)``."""
        return clock_columns(self.reference.features, self.reference.bar_time)

    @cached_property
    def by_symbol(self) -> Baseline:
        """The same with windows of one symbol each, to hold the rows of one symbol against.

        Where no symbol has rows enough for a window, windows of all of them must do.
        """
        codes = np.unique(self.reference.symbol, return_inverse=True)[1]
        longest = int(np.bincount(codes).max())
        if codes.max(initial=0) == 0 or longest < SHORTEST:
            return self
        runs = [np.flatnonzero(codes == code) for code in range(int(codes.max()) + 1)]

        def windows(length: int) -> Iterator[IntArray]:
            for run in runs:
                for rows in stretches(len(run), length, _MOST_WINDOWS // len(runs) + 1):
                    yield run[rows]

        outputs = {name: each.windowed(windows) for name, each in self.outputs.items()}
        return replace(self, outputs=outputs, _windows=windows, _longest=longest, _envelopes={})

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
        rows = list(self._windows(length))
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

    def _repeat(self, rows: slice | IntArray) -> FloatArray:
        some = self.reference.take(rows)
        return repeat_share(some.features, previous_rows(some.symbol, len(some)))

    def _relation(self, rows: slice | IntArray) -> Relation:
        other = self._halves[1 if _middle(rows) < len(self.reference) / 2 else 0]
        return other.relate(self.reference.features[rows])

    def _other_half_psi(self, features: FloatArray, rows: slice | IntArray) -> FloatArray:
        half = len(self.reference) // 2
        late, early = self._half_bins
        other = late if _middle(rows) < half else early
        return _psi(features[rows], self.edges, other)

    @cached_property
    def _half_bins(self) -> tuple[tuple[FloatArray, ...], tuple[FloatArray, ...]]:
        """Of the late half of the reference, and of the early one."""
        features, half = self.reference.features, len(self.reference) // 2
        return _fill(features[half:], self.edges), _fill(features[:half], self.edges)


def _middle(rows: slice | IntArray) -> float:
    return float(rows.start + rows.stop) / 2 if isinstance(rows, slice) else float(rows.mean())


def stretches(n: int, length: int, most: int = _MOST_WINDOWS) -> Iterator[slice]:
    """Yield overlapping stretches of so many of ``n`` rows, not many more than ``most``."""
    last = n - length
    stride = max(1, length // 5, last // most)
    for start in range(0, last + 1, stride):
        yield slice(start, start + length)


def fit_baseline(
    reference: ReferenceProfile,
    readings: Mapping[str, Reading],
    stress: StressRows | None = None,
) -> Baseline | None:
    """Measure a reference; None if it has fewer than `MIN_REFERENCE` rows.

    Parameters
    ----------
    reference
        The healthy stream.
    readings
        What its heads read in it, by output.
    stress
        Rows of markets under stress, if the bundle has any.
    """
    n = len(reference)
    if n < MIN_REFERENCE:
        return None
    seen = reference.coverage
    order = _live_order(reference)
    reference = reference.take(order)
    readings = {name: reading.take(order) for name, reading in readings.items()}
    features = np.asarray(reference.features, np.float64)
    previous = previous_rows(reference.symbol, n)
    scale = step_scale(features, previous)
    edges = tuple(bin_edges(column) for column in features.T)

    def windows(length: int) -> Iterator[slice]:
        return stretches(n, length)

    return Baseline(
        reference=reference,
        place=np.argsort(order, kind="stable"),
        outputs={
            name: fit_output(reading, features, previous, scale, windows)
            for name, reading in readings.items()
        },
        step_scale=scale,
        previous=previous,
        columns=fit_columns(features, reference.symbol),
        zero=zero_share(reference.features),
        coverage=seen,
        edges=edges,
        bins=_fill(features, edges),
        stress=Stress.of(stress, features),
        _windows=windows,
        _longest=n,
        _halves=(
            fit_columns(features[: n // 2], reference.symbol[: n // 2]),
            fit_columns(features[n // 2 :], reference.symbol[n // 2 :]),
        ),
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
