"""The reference profile: the stream of a healthy model, against which the live one is held.

The profile keeps the reference *stream* (out-of-sample rows in time order) rather than summaries of
it, so that every detector learns its own null from the same rows with the same code that later
watches the live rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from plumbline.bundle.array import FloatArray, IntArray, read_arrays, write_arrays
from plumbline.bundle.errors import FormatError

GUARANTEED_ROWS = 12_000
"""Fewer reference rows than this, and no false-alarm guarantee is given."""

_NAMES = ("bar_time", "symbol", "features", "logits", "probabilities", "actions", "labels")


@dataclass(frozen=True)
class ReferenceProfile:
    """What healthy looks like: one row per out-of-sample prediction, oldest first per symbol.

    Attributes
    ----------
    bar_time : (n,) int64
        Open time of the last bar of the window, microseconds since 1970 UTC.
    symbol : (n,) str
        Rows of one symbol are consecutive.
    features : (n, f) float32
        Last step of the input window, before scaling.
    logits : (n, k) float32
        Raw, before calibration.
    probabilities : (n, k) float32
        Calibrated.
    actions : (n,) int8
        Of the bundle's decision policy.
    labels : (n,) int8
        True class, -1 where masked.
    """

    bar_time: IntArray
    symbol: np.ndarray
    features: FloatArray
    logits: FloatArray
    probabilities: FloatArray
    actions: IntArray
    labels: IntArray

    def __post_init__(self) -> None:
        n = len(self.bar_time)
        for name in _NAMES:
            if len(getattr(self, name)) != n:
                raise FormatError(f"reference: {name} has another length than bar_time ({n})")
        if self.features.ndim != 2 or self.logits.ndim != 2:
            raise FormatError(
                f"reference: expected features (n, f) and logits (n, k), "
                f"found {self.features.shape} and {self.logits.shape}"
            )
        if self.logits.shape != self.probabilities.shape:
            raise FormatError("reference: logits and probabilities differ in shape")
        self._check_classes("actions", lowest=0)
        self._check_classes("labels", lowest=-1)

    def _check_classes(self, name: str, *, lowest: int) -> None:
        values, classes = getattr(self, name), self.logits.shape[1]
        if values.dtype.kind != "i":
            raise FormatError(f"reference: {name} must be signed integers, found {values.dtype}")
        if len(values) and not lowest <= values.min() <= values.max() < classes:
            raise FormatError(
                f"reference: {name} must lie in {lowest}..{classes - 1}, "
                f"found {values.min()}..{values.max()}"
            )

    def __len__(self) -> int:
        return len(self.bar_time)

    @property
    def guaranteed(self) -> bool:
        """Whether there are rows enough to state a false-alarm bound."""
        return len(self) >= GUARANTEED_ROWS

    @property
    def action_shares(self) -> FloatArray:
        """Share of each action: ``(k,) float64``."""
        counts = np.bincount(self.actions, minlength=self.logits.shape[1])
        shares: FloatArray = counts / max(len(self), 1)
        return shares

    def to_bytes(self) -> bytes:
        """Return the ``reference.npz`` form."""
        return write_arrays({name: getattr(self, name) for name in _NAMES})

    @classmethod
    def from_bytes(cls, data: bytes, *, source: str = "reference.npz") -> Self:
        """Read the ``reference.npz`` form; raises `FormatError`."""
        return cls(**read_arrays(data, _NAMES, source=source))
