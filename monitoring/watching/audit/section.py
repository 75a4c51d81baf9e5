"""Cross-sections of a batch that can be asked about as they were: whole, or not at all."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np

from plumbline.bundle.array import BoolArray, IntArray
from plumbline.store.prediction import PredictionBatch

_NEWEST = 20


def sections(batch: PredictionBatch, known: BoolArray) -> Iterator[tuple[IntArray, bool]]:
    """Yield the rows of each cross-section, in order, and whether it can be replayed.

    It can where every row's window is known and none is missing in between: the rows of a request
    are numbered one after the other.

    Parameters
    ----------
    known : (n,) bool
        Whether a row's window is known to the bit.
    """
    group = np.asarray(batch.group)
    order = np.argsort(group, kind="stable")
    borders = np.flatnonzero(group[order][1:] != group[order][:-1]) + 1
    found = [np.sort(rows) for rows in np.split(order, borders)] if len(order) else []
    for rows in sorted(found, key=lambda each: int(each[-1])):
        seq = np.sort(batch.seq[rows])
        named = bool(group[rows[0]])
        yield rows, bool(named and known[rows].all() and (np.diff(seq) == 1).all())


class Sizes:
    """How large the newest cross-sections were: a smaller one may have lost rows of its end."""

    def __init__(self) -> None:
        self._newest: deque[int] = deque(maxlen=_NEWEST)

    def usual(self, rows: int) -> bool:
        """Take the next one, and tell whether it is as large as any of the newest."""
        usual = rows >= max(self._newest, default=0)
        self._newest.append(rows)
        return usual


def requests(batch: PredictionBatch, rows: IntArray) -> list[IntArray]:
    """Cut a cross-section into what may have been asked about apart: rows answered at one time."""
    when = batch.time[rows]
    return [rows[when == each] for each in np.unique(when)]
