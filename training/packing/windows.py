"""The windows of rows: what a graph is given for each row, and which rows have one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.spec import InputSpec
from plumbline.training.errors import DataError
from plumbline.training.packing.rows import Rows


class Windows:
    """Cuts windows out of rows, a batch at a time: the columns are held once, windows never all.

    Parameters
    ----------
    inputs
        Of the graph; those from the bundle are left out.
    rows
        To cut from.

    Raises
    ------
    DataError
        If the rows lack a column, or it has a gap.
    """

    def __init__(self, inputs: Sequence[InputSpec], rows: Rows) -> None:
        self._tables = [
            (spec, rows.columns(spec.names).astype(spec.dtype))
            for spec in inputs
            if spec.source != "bundle"
        ]

    def at(self, ends: IntArray) -> dict[str, FloatArray]:
        """Return what the graph is given for the rows at these places, each the last of its own."""
        found: dict[str, FloatArray] = {}
        for spec, table in self._tables:
            if len(spec.shape) == 1:
                found[spec.name] = table[ends]
            else:
                found[spec.name] = table[ends[:, None] + np.arange(1 - spec.steps, 1)]
        return found


def whole_rows(inputs: Sequence[InputSpec], rows: Rows) -> IntArray:
    """Return the places of rows that have a whole window of their own symbol before them.

    Raises
    ------
    DataError
        If there is none.
    """
    steps = max(spec.steps for spec in inputs)
    begins = np.append(True, rows.symbol[1:] != rows.symbol[:-1])
    start = np.maximum.accumulate(np.where(begins, np.arange(len(rows)), 0))
    whole = np.flatnonzero(np.arange(len(rows)) - start + 1 >= steps)
    if not len(whole):
        raise DataError(
            f"{rows.source}: {len(rows)} rows hold no window of {steps}: give {steps} rows of a "
            "symbol or more"
        )
    return whole
