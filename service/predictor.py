"""A loaded bundle: everything one answer needs, in one immutable value.

A request takes the predictor once and uses it throughout, so that a swap in the middle cannot mix
two versions.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from plumbline.bundle.archive import Bundle
from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.calibration import Calibration
from plumbline.bundle.errors import BundleError, IntegrityError
from plumbline.bundle.manifest import Manifest
from plumbline.bundle.policy import DecisionPolicy
from plumbline.service.backends.base import Backend, Device, backend_class

MAX_BATCH = 32
"""Rows the graph gets at once; larger ones are no faster on one core and hold the event loop."""

_SMALLEST_STD = 1e-9


class GoldenRowsError(BundleError):
    """The loaded backend does not give the outputs the bundle was made with."""


@dataclass(frozen=True)
class Predicted:
    """Outputs of a batch.

    Attributes
    ----------
    logits, probabilities : (n, k) float32, float64
        Raw, and calibrated.
    actions : (n,) int64
    sizes : (n,) float64
        As the policy suggests them for a healthy model.
    """

    logits: FloatArray
    probabilities: FloatArray
    actions: IntArray
    sizes: FloatArray


@dataclass(frozen=True)
class OutputScale:
    """Centre and spread of each reference probability, ``(k,) float64``.

    Live probabilities are counted as ``u = (p - centre) / std``: a collapse to a spread of 1e-4 of
    the reference's survives in a sum of squares of ``u``, where one of ``p`` would lose it.
    """

    centre: FloatArray
    std: FloatArray

    def apply(self, probabilities: FloatArray) -> FloatArray:
        """Return ``u``, clipped to ±50 so that one row cannot outweigh an hour."""
        shifted: FloatArray = np.clip((probabilities - self.centre) / self.std, -50.0, 50.0)
        return shifted


@dataclass(frozen=True)
class Predictor:
    """A bundle whose golden rows have passed through the backend that will serve it."""

    manifest: Manifest
    version: str
    backend: Backend
    calibration: Calibration
    policy: DecisionPolicy
    output_scale: OutputScale
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
        loaded = kind(bundle.files[kind.FILE], bundle.manifest, device)
        error = bundle.golden.largest_error(loaded.run(bundle.golden.inputs))
        if not error <= bundle.manifest.tolerance:
            raise GoldenRowsError(
                f"golden.npz: {kind.FILE} differs by {error:.3g} in a logit on {loaded.device}, "
                f"expected at most {bundle.manifest.tolerance:.3g}"
            )
        reference = np.asarray(bundle.reference.probabilities, np.float64)
        return cls(
            manifest=bundle.manifest,
            version=bundle.version,
            backend=loaded,
            calibration=bundle.calibration,
            policy=bundle.manifest.policy,
            output_scale=OutputScale(
                centre=reference.mean(axis=0),
                std=np.maximum(reference.std(axis=0), _SMALLEST_STD),
            ),
            loaded_at=datetime.now(UTC),
        )

    def predict(self, windows: FloatArray) -> Predicted:
        """Answer windows ``(n, t, f) float32``, n ≥ 1; non-finite logits stay non-finite."""
        parts = [
            self.backend.run(windows[start : start + MAX_BATCH])
            for start in range(0, len(windows), MAX_BATCH)
        ]
        logits = parts[0] if len(parts) == 1 else np.concatenate(parts)
        with np.errstate(invalid="ignore", over="ignore"):
            probabilities = self.calibration.apply(logits)
            actions = self.policy.decide(probabilities)
            sizes = self.policy.size(probabilities, actions)
        return Predicted(logits, probabilities, actions, sizes)
