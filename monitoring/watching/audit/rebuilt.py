"""The input windows of logged rows, as far as they are known to the bit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from plumbline.bundle.array import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Rebuilt:
    """Whole inputs of some rows of a batch.

    Attributes
    ----------
    rows : (m,) int64
        Their places in the batch, ascending.
    windows
        By input, without the bundle's own: ``(m, *shape)`` in the manifest's dtype.
    exact : (m,) bool
        Whether the window has the logged hash, or was logged whole. Where it is false the window is
        what the log makes it, which the client's was not.
    """

    rows: IntArray
    windows: Mapping[str, FloatArray]
    exact: BoolArray

    def __len__(self) -> int:
        return len(self.rows)
