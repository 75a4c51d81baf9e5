"""A replay: the held-out bars as one file, written by a training and read by the drills."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from plumbline.bundle.array import FloatArray, IntArray, read_arrays, write_arrays

_ARRAYS = ("bar_time", "features", "labels", "forward_return", "closes")
_NAMES = (*_ARRAYS, "feature_names", "window_length", "first")


@dataclass(frozen=True)
class Replay:
    """Bars of one symbol, those before the test part included, as far as their features are whole.

    Attributes
    ----------
    bar_time : (n,) int64
        Open time, microseconds since 1970 UTC.
    features : (n, f) float32
        Window ``i`` is rows ``i - window_length + 1`` to ``i``.
    names
        Of the columns of the features.
    labels : (n,) int8
        True class, -1 where masked.
    forward_return, closes : (n,) float64
        Simple return over the label's horizon, NaN where masked; closing price.
    window_length
        Rows in a window.
    first
        Index of the first row that no training has seen; its window is whole.
    """

    bar_time: IntArray
    features: FloatArray
    names: tuple[str, ...]
    labels: IntArray
    forward_return: FloatArray
    closes: FloatArray
    window_length: int
    first: int

    @property
    def held_out(self) -> int:
        """Number of rows that no training has seen."""
        return len(self.bar_time) - self.first

    def to_bytes(self) -> bytes:
        """Return the ``.npz`` form, without Python objects."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        return write_arrays(
            {
                **arrays,
                "feature_names": np.array(self.names),
                "window_length": np.array(self.window_length),
                "first": np.array(self.first),
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes, *, source: str) -> Self:
        """Read the ``.npz`` form; raises `FormatError`."""
        found = read_arrays(data, _NAMES, source=source)
        return cls(
            **{name: found[name] for name in _ARRAYS},
            names=tuple(str(name) for name in found["feature_names"]),
            window_length=int(found["window_length"]),
            first=int(found["first"]),
        )
