"""The reference profile: the stream of a healthy model, against which the live one is held.

The profile keeps the reference *stream* (out-of-sample rows in time order) rather than summaries of
it, so that every detector learns its own null from the same rows with the same code that later
watches the live rows.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Self

import numpy as np

from plumbline.bundle.array import FloatArray, IntArray, read_arrays, write_arrays
from plumbline.bundle.coverage import Coverage, coverage
from plumbline.bundle.errors import FormatError

NO_ACTION = -1
"""Stands in `action` where the policy has no actions."""


@dataclass(frozen=True)
class ReferenceProfile:
    """What healthy looks like: one row per out-of-sample prediction, oldest first per symbol.

    Outputs lie beside each other in the manifest's order.

    Attributes
    ----------
    bar_time : (n,) int64
        Open time of the last bar of the window, microseconds since 1970 UTC.
    symbol : (n,) str
        Rows of one symbol are consecutive.
    group : (n,) int64
        Which rows are one cross-section; each its own for a model that judges row by row.
    features : (n, f) float32
        Last step of the input window, before scaling.
    raw : (n, Σ members · width) float32
        Before calibration.
    centre : (n, Σ width) float32
        Calibrated.
    epistemic : (n, outputs) float32
        Disagreement of the members.
    action : (n,) int8
        Of the bundle's policy; `NO_ACTION` where it has none.
    position, size : (n,) float32
        Of the bundle's policy.
    truth : (n, outputs) float64
        A choice's place, or a value; NaN where masked.
    """

    bar_time: IntArray
    symbol: np.ndarray
    group: IntArray
    features: FloatArray
    raw: FloatArray
    centre: FloatArray
    epistemic: FloatArray
    action: IntArray
    position: FloatArray
    size: FloatArray
    truth: FloatArray

    def __post_init__(self) -> None:
        n = len(self.bar_time)
        for name in _NAMES:
            if len(getattr(self, name)) != n:
                raise FormatError(f"reference: {name} has another length than bar_time ({n})")
        for name in ("features", "raw", "centre", "epistemic", "truth"):
            if getattr(self, name).ndim != 2:
                raise FormatError(
                    f"reference: expected {name} (n, …), found {getattr(self, name).shape}"
                )
        if self.action.dtype.kind != "i" or (n and self.action.min() < NO_ACTION):
            raise FormatError("reference: action must be integers, -1 or more")

    def __len__(self) -> int:
        return len(self.bar_time)

    def take(self, rows: IntArray | slice) -> Self:
        """Return the rows at these positions, in this order."""
        return type(self)(**{name: getattr(self, name)[rows] for name in _NAMES})

    @cached_property
    def coverage(self) -> Coverage:
        """How much the reference has seen."""
        return coverage(self.bar_time, self.symbol, self.centre)

    @property
    def guaranteed(self) -> bool:
        """Whether it has seen enough to state a false-alarm bound."""
        return self.coverage.missing is None

    def action_shares(self, actions: int) -> FloatArray:
        """Share of each of so many actions: ``(actions,) float64``; zeros without any."""
        counts = self._action_counts
        more = np.zeros(max(actions - len(counts), 0), np.int64)
        shares: FloatArray = np.append(counts, more) / max(int(counts.sum()), 1)
        return shares

    @cached_property
    def _action_counts(self) -> IntArray:
        return np.bincount(self.action[self.action >= 0].astype(np.int64))

    def to_bytes(self) -> bytes:
        """Return the ``reference.npz`` form."""
        return write_arrays({name: getattr(self, name) for name in _NAMES})

    @classmethod
    def from_bytes(cls, data: bytes, *, source: str = "reference.npz") -> Self:
        """Read the ``reference.npz`` form; raises `FormatError`."""
        return cls(**read_arrays(data, _NAMES, source=source))


_NAMES = tuple(each.name for each in fields(ReferenceProfile))
