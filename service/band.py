"""Bands: what shares and spreads were in stretches of the reference as long as the rules look back.

A share of 90 % in an hour may be nothing new. So each figure that a rule makes of a window of live
answers is made of every stretch of the reference that is as long, and its 1st, 50th and 99th
percentile are shown beside the live figure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from plumbline.bundle.array import FloatArray
from plumbline.bundle.figure_window import fitting_seconds, usual_rows
from plumbline.bundle.manifest import Manifest
from plumbline.bundle.reading import Reading
from plumbline.bundle.reference import ReferenceProfile

BANDS = ("low", "middle", "high")
_PERCENTILES = (1.0, 50.0, 99.0)


@dataclass(frozen=True)
class ReferenceBands:
    """Low, middle and high of each figure.

    Attributes
    ----------
    window_seconds
        How far back the figures look.
    actions : (3, a) float64
        Share of each action; none where the policy has no actions.
    probabilities : (3, k) float64, by output
        Mean probability of each choice.
    spreads : (3, c) float64, by output
        Standard deviation of each coordinate over that in the whole reference.
    """

    window_seconds: int
    actions: FloatArray
    probabilities: Mapping[str, FloatArray]
    spreads: Mapping[str, FloatArray]

    @classmethod
    def of(
        cls, manifest: Manifest, reference: ReferenceProfile, readings: Mapping[str, Reading]
    ) -> Self:
        """Measure a bundle's reference.

        Parameters
        ----------
        manifest, reference
            Of the bundle.
        readings
            Of the reference's rows, by output.
        """
        order = np.argsort(reference.bar_time, kind="stable")
        times, interval = reference.bar_time[order], manifest.bar_interval_seconds
        window = fitting_seconds(times, interval)
        rows = usual_rows(times, window, interval) or len(times)
        taken = reference.action[order, None] == np.arange(len(manifest.actions))
        return cls(
            window_seconds=window,
            actions=_bands(_means(taken.astype(np.float64), rows)),
            probabilities={
                spec.name: _bands(_means(readings[spec.name].centre[order], rows))
                for spec in manifest.outputs
                if spec.choices
            },
            spreads={
                name: _bands(_spreads(reading.coordinates[order], rows))
                for name, reading in readings.items()
            },
        )


def _means(values: FloatArray, rows: int) -> FloatArray:
    """Return the mean of every stretch of so many rows, at most half of all: ``(stretches, c)``."""
    n = len(values)
    rows = max(min(rows, n // 2), 1)
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0, dtype=float)])
    means: FloatArray = (sums[rows:] - sums[:-rows]) / rows
    return means


def _spreads(coordinates: FloatArray, rows: int) -> FloatArray:
    """Return the standard deviation of every stretch over that of all rows."""
    whole = coordinates.std(axis=0)
    units = (coordinates - coordinates.mean(axis=0)) / np.where(whole > 0, whole, 1.0)
    variance = _means(units * units, rows) - _means(units, rows) ** 2
    spreads: FloatArray = np.sqrt(np.maximum(variance, 0.0))
    return spreads


def _bands(stretches: FloatArray) -> FloatArray:
    found: FloatArray = np.percentile(stretches, _PERCENTILES, axis=0)
    return found
