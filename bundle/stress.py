"""Stressed rows: what the feature set makes of markets that the reference may never have seen.

A market that stands still, trades nothing or runs one way moves columns as no week of the reference
did, and is no fault of whoever sends them. So a training computes its columns of such markets too,
made from its own bars, and the watch knows them by sight.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from plumbline.bundle.array import FloatArray, IntArray, read_named_arrays, write_arrays
from plumbline.bundle.errors import FormatError

_NAMES = ("age", "features", "scenario")


@dataclass(frozen=True)
class StressRows:
    """Rows of markets under stress.

    Attributes
    ----------
    features : (n, f) float32
        As the model would be shown them: last steps, before scaling.
    scenario : (n,) str
        Of which market; rows of one are consecutive, stretch after stretch, oldest first.
    age : (n,) int64
        Bars since the market of this stretch was first bent; where it falls, another begins.
    """

    features: FloatArray
    scenario: np.ndarray
    age: IntArray

    def __post_init__(self) -> None:
        if self.features.ndim != 2 or not (
            len(self.features) == len(self.scenario) == len(self.age)
        ):
            raise FormatError(
                f"stress: expected features (n, f), scenario (n,) and age (n,), found "
                f"{self.features.shape}, {self.scenario.shape} and {self.age.shape}"
            )

    def __len__(self) -> int:
        return len(self.scenario)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the scenarios, sorted."""
        return tuple(str(name) for name in np.unique(self.scenario))

    def stretches(self, name: str) -> tuple[FloatArray, ...]:
        """Return the rows of each stretch of a scenario, ``(m, f)``."""
        own = self.scenario == name
        borders = np.flatnonzero(np.diff(self.age[own]) <= 0) + 1
        return tuple(np.split(self.features[own].astype(np.float64), borders))

    def to_bytes(self) -> bytes:
        """Return the ``stress.npz`` form."""
        return write_arrays({"age": self.age, "features": self.features, "scenario": self.scenario})

    @classmethod
    def from_bytes(cls, data: bytes, *, source: str = "stress.npz") -> Self:
        """Read the ``stress.npz`` form; raises `FormatError`.

        A file without ages, as older ones are, has one stretch of each scenario.
        """
        arrays = read_named_arrays(data, source=source)
        if "scenario" in arrays:
            arrays.setdefault("age", np.arange(len(arrays["scenario"])))
        if tuple(sorted(arrays)) != _NAMES:
            raise FormatError(f"{source}: expected arrays {_NAMES}, found {sorted(arrays)}")
        return cls(**arrays)
