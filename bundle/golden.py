"""Golden rows: inputs with the outputs the exported model gave when it was made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from plumbline.bundle.array import FloatArray, read_arrays, write_arrays
from plumbline.bundle.errors import FormatError

_NAMES = ("inputs", "logits")


@dataclass(frozen=True)
class GoldenRows:
    """Inputs ``(m, t, f) float32`` and the raw logits ``(m, k) float32`` they must give."""

    inputs: FloatArray
    logits: FloatArray

    def __post_init__(self) -> None:
        if self.inputs.ndim != 3 or self.logits.ndim != 2 or len(self.inputs) != len(self.logits):
            raise FormatError(
                f"golden: expected inputs (m, t, f) and logits (m, k), "
                f"found {self.inputs.shape} and {self.logits.shape}"
            )

    def largest_error(self, logits: FloatArray) -> float:
        """Return the largest absolute difference to ``logits``; infinite if any is not finite."""
        if logits.shape != self.logits.shape or not np.isfinite(logits).all():
            return float("inf")
        return float(np.abs(np.asarray(logits, np.float64) - self.logits).max())

    def to_bytes(self) -> bytes:
        """Return the ``golden.npz`` form."""
        return write_arrays({name: getattr(self, name) for name in _NAMES})

    @classmethod
    def from_bytes(cls, data: bytes, *, source: str = "golden.npz") -> Self:
        """Read the ``golden.npz`` form; raises `FormatError`."""
        return cls(**read_arrays(data, _NAMES, source=source))
