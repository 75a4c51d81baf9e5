"""Stressed rows: what the feature set makes of markets that the reference may never have seen.

A market that stands still, trades nothing or runs one way moves columns as no week of the reference
did, and is no fault of whoever sends them. So a training computes its columns of such markets too,
made from its own bars, and the watch knows them by sight.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from plumbline.bundle.array import FloatArray, read_arrays, write_arrays
from plumbline.bundle.errors import FormatError

_NAMES = ("features", "scenario")


@dataclass(frozen=True)
class StressRows:
    """Rows of markets under stress.

    Attributes
    ----------
    features : (n, f) float32
        As the model would be shown them: last steps, before scaling.
    scenario : (n,) str
        Of which market; rows of one are consecutive, oldest first.
    """

    features: FloatArray
    scenario: np.ndarray

    def __post_init__(self) -> None:
        if self.features.ndim != 2 or len(self.features) != len(self.scenario):
            raise FormatError(
                f"stress: expected features (n, f) and scenario (n,), found {self.features.shape} "
                f"and {self.scenario.shape}"
            )

    def __len__(self) -> int:
        return len(self.scenario)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the scenarios, sorted."""
        return tuple(str(name) for name in np.unique(self.scenario))

    def of(self, name: str) -> FloatArray:
        """Return the rows of a scenario, ``(m, f)``."""
        rows: FloatArray = self.features[self.scenario == name]
        return rows

    def to_bytes(self) -> bytes:
        """Return the ``stress.npz`` form."""
        return write_arrays({"features": self.features, "scenario": self.scenario})

    @classmethod
    def from_bytes(cls, data: bytes, *, source: str = "stress.npz") -> Self:
        """Read the ``stress.npz`` form; raises `FormatError`."""
        return cls(**read_arrays(data, _NAMES, source=source))
