"""A loaded bundle: everything one answer needs, in one immutable value.

A request takes the predictor once and uses it throughout, so that a swap in the middle cannot mix
two versions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Self

import numpy as np

from plumbline.bundle.archive import Bundle
from plumbline.bundle.array import AnyArray, FloatArray
from plumbline.bundle.errors import BundleError, FormatError, IntegrityError
from plumbline.bundle.inputs import last_steps
from plumbline.bundle.manifest import MANIFEST, Manifest
from plumbline.bundle.outputs import Outputs
from plumbline.bundle.reading import Decision, Reading
from plumbline.service.backends.base import Backend, Device, Ran, backend_class
from plumbline.service.band import ReferenceBands
from plumbline.service.memory import unknown_to_memory

MAX_BATCH = 32
"""Rows the graph gets at once; larger ones are no faster on one core and hold the event loop."""

_SMALLEST_STD = 1e-9
_MOST = 50.0


class GoldenRowsError(BundleError):
    """The loaded backend does not give the outputs the bundle was made with."""


@dataclass(frozen=True)
class Predicted:
    """Outputs of a batch.

    Attributes
    ----------
    raw : (n, Σ members · width) float32
        Before calibration.
    readings
        By output.
    decision
        As the policy suggests for a healthy model.
    features : (n, f) float32
        Last step of the watched columns.
    """

    raw: FloatArray
    readings: Mapping[str, Reading]
    decision: Decision
    features: FloatArray

    def __len__(self) -> int:
        return len(self.raw)


@dataclass(frozen=True)
class OutputScale:
    """Centre and spread of each coordinate of an output in the reference, ``(c,) float64``.

    Live coordinates are counted as ``u = (x - centre) / std``: a collapse to a spread of 1e-4 of
    the reference's survives in a sum of squares of ``u``, where one of ``x`` would lose it.
    """

    centre: FloatArray
    std: FloatArray

    @classmethod
    def of(cls, reading: Reading) -> Self:
        """Measure a reference's reading."""
        known = reading.coordinates
        return cls(known.mean(axis=0), np.maximum(known.std(axis=0), _SMALLEST_STD))

    def apply(self, coordinates: FloatArray) -> FloatArray:
        """Return ``u``, clipped to ±50 so that one row cannot outweigh an hour."""
        units = (coordinates - self.centre) / self.std
        shifted: FloatArray = np.minimum(np.maximum(units, -_MOST), _MOST)
        return shifted


@dataclass(frozen=True)
class Predictor:
    """A bundle whose golden rows have passed through the backend that will serve it."""

    manifest: Manifest
    version: str
    backend: Backend
    outputs: Outputs
    scales: Mapping[str, OutputScale]
    bands: ReferenceBands
    loaded_at: datetime

    @classmethod
    def load(cls, bundle: Bundle, *, backend: str = "onnx", device: Device = "auto") -> Predictor:
        """Load a verified bundle and send its golden rows through.

        Raises
        ------
        BundleError
            If the bundle has no file for this backend, the runtime refuses it, or the golden rows
            come out otherwise than the manifest's tolerance allows.
        """
        kind = backend_class(backend)
        if kind.FILE not in bundle.files:
            raise IntegrityError(f"{kind.FILE}: not in the bundle; export it or choose a backend")
        for spec in bundle.manifest.inputs:
            fault = unknown_to_memory(spec) if spec.source == "log" else None
            if fault:
                raise FormatError(f"{MANIFEST}: {fault}")
        loaded = kind(bundle.files[kind.FILE], bundle.manifest, device)
        error = golden_error(loaded, bundle)
        if not error <= bundle.manifest.tolerance:
            raise GoldenRowsError(
                f"golden.npz: {kind.FILE} differs by {error:.3g} in a raw number on "
                f"{loaded.device}, expected at most {bundle.manifest.tolerance:.3g}"
            )
        reference = bundle.reference
        readings = bundle.outputs.restore(reference.centre, reference.epistemic, reference.group)
        return cls(
            manifest=bundle.manifest,
            version=bundle.version,
            backend=loaded,
            outputs=bundle.outputs,
            scales={name: OutputScale.of(reading) for name, reading in readings.items()},
            bands=ReferenceBands.of(bundle.manifest, reference, readings),
            loaded_at=datetime.now(UTC),
        )

    @cached_property
    def watched(self) -> bool:
        """Whether any input has columns of its own to be logged."""
        return any(spec.source == "features" for spec in self.manifest.inputs)

    @property
    def takes_cross_sections(self) -> bool:
        """Whether rows are answered as whole groups."""
        return self.manifest.unit == "cross_section"

    def predict(self, inputs: Mapping[str, FloatArray], group: AnyArray | None = None) -> Predicted:
        """Answer named inputs, n ≥ 1 rows; raw numbers that are not finite stay so.

        Parameters
        ----------
        inputs
            By name, ``(n, *shape)``.
        group : (n,) or None
            Which rows are one cross-section; each is asked about whole, and alone.
        """
        n = len(next(iter(inputs.values())))
        if self.takes_cross_sections:
            names = np.zeros(n, np.int64) if group is None else group
            pieces = [np.flatnonzero(names == name) for name in dict.fromkeys(names.tolist())]
            ran = self.backend.run(inputs) if len(pieces) == 1 else self._run(inputs, pieces)
        else:
            group = np.arange(n)  # each row is judged by itself
            pieces = [] if n <= MAX_BATCH else np.split(group, range(MAX_BATCH, n, MAX_BATCH))
            ran = self._run(inputs, pieces) if pieces else self.backend.run(inputs)
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            features = ran.features
            if features is None and self.watched:
                features = last_steps(self.manifest.inputs, inputs)
            elif features is None:
                features = np.empty((n, 0), np.float32)
            return self._read(ran.raw, group, features)

    def silence(self, n: int, group: AnyArray | None = None) -> Predicted:
        """Return what stands for n answers that the graph could not give: no number is finite."""
        width = sum(spec.numbers for spec in self.manifest.outputs)
        group = np.arange(n) if group is None or not self.takes_cross_sections else group
        features = np.full((n, len(self.manifest.feature_names)), np.nan, np.float32)
        with np.errstate(invalid="ignore"):
            return self._read(np.full((n, width), np.nan, np.float32), group, features)

    def _read(self, raw: FloatArray, group: AnyArray | None, features: FloatArray) -> Predicted:
        """Calibrate and decide."""
        readings = self.outputs.read(raw, group)
        return Predicted(raw, readings, self.outputs.decide(readings, group), features)

    def _run(self, inputs: Mapping[str, FloatArray], pieces: Sequence[AnyArray]) -> Ran:
        """Ask the graph about each piece, and put the answers where the rows were."""
        ran = [self.backend.run({k: v[rows] for k, v in inputs.items()}) for rows in pieces]
        back = np.argsort(np.concatenate(pieces), kind="stable")
        features = [each.features for each in ran if each.features is not None]
        return Ran(
            np.concatenate([each.raw for each in ran])[back],
            np.concatenate(features)[back] if features else None,
        )


def golden_error(backend: Backend, bundle: Bundle) -> float:
    """Return the largest difference of the golden rows' answers in units, at several batch sizes.

    A model that judges row by row is asked about one row, about two, and about all of them; one of
    cross-sections about each of them whole. Infinite where an answer is not finite.
    """
    golden, manifest = bundle.golden, bundle.manifest
    if manifest.unit == "cross_section":
        pieces = [np.flatnonzero(golden.group == name) for name in np.unique(golden.group)]
    else:
        sizes = dict.fromkeys((1, min(2, len(golden)), len(golden)))
        pieces = [np.arange(size) for size in sizes]
    expected = np.concatenate([golden.outputs[spec.name] for spec in manifest.outputs], axis=1)
    units = golden.units(spec.name for spec in manifest.outputs)
    worst = 0.0
    for rows in pieces:
        given = {name: each[rows] for name, each in golden.inputs.items()}
        try:
            raw = backend.run(given).raw
        except BundleError:
            raise
        except Exception as error:
            raise GoldenRowsError(
                f"golden.npz: {backend.FILE} cannot answer {len(rows)} of them together: {error}"
            ) from error
        if raw.shape != expected[rows].shape or not np.isfinite(raw).all():
            return float("inf")
        apart = np.abs(np.asarray(raw, np.float64) - expected[rows]) / units
        worst = max(worst, float(apart.max()))
    return worst
