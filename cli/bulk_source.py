"""The rows of a bulk prediction: read whole, cut into windows a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.spec import InputSpec
from plumbline.training.packing.rows import Rows
from plumbline.training.packing.windows import Windows, whole_rows


@dataclass(frozen=True)
class Batch:
    """Some rows with their windows.

    Attributes
    ----------
    time : (n,) int64
        Microseconds since 1970 UTC.
    symbol : (n,) str
    group : (n,) int64
        Which cross-section each belongs to, counted over all rows.
    inputs
        By name, ``(n, *shape)``.
    """

    time: IntArray
    symbol: np.ndarray
    group: IntArray
    inputs: dict[str, FloatArray]

    def __len__(self) -> int:
        return len(self.time)


class Source:
    """Rows to be asked about.

    Parameters
    ----------
    rows
        As read.
    inputs
        Of the model.
    whole
        Whether rows of one group are asked about together.
    batch
        How many rows at once; more where a single group has more.

    Raises
    ------
    DataError
        If a column is missing or has a gap, or no row has a whole window.
    """

    def __init__(self, rows: Rows, inputs: Sequence[InputSpec], *, whole: bool, batch: int) -> None:
        self._rows = rows
        self._windows = Windows(inputs, rows)
        self._whole = whole
        self._batch = batch
        ends = whole_rows(inputs, rows)
        self._order = ends[np.argsort(rows.group[ends], kind="stable")] if whole else ends

    def __len__(self) -> int:
        return len(self._order)

    @property
    def skipped(self) -> int:
        """Rows without a whole window of their symbol before them."""
        return len(self._rows) - len(self._order)

    def __iter__(self) -> Iterator[Batch]:
        """Yield all rows: by symbol and time, or cross-section by cross-section."""
        for start, stop in self._pieces():
            ends = self._order[start:stop]
            rows = self._rows
            yield Batch(
                rows.time[ends], rows.symbol[ends], rows.group[ends], self._windows.at(ends)
            )

    def _pieces(self) -> Iterator[tuple[int, int]]:
        n = len(self._order)
        if not self._whole:
            yield from ((start, min(start + self._batch, n)) for start in range(0, n, self._batch))
            return
        group = self._rows.group[self._order]
        borders = np.append(np.flatnonzero(group[1:] != group[:-1]) + 1, n)
        start = last = 0
        for border in borders.tolist():
            if border - start > self._batch and last > start:
                yield start, last
                start = last
            last = border
        yield start, n
