"""Since when is every answer the new version's? Workers take a promotion up one by one."""

from __future__ import annotations

import numpy as np

from plumbline.bundle.array import IntArray
from plumbline.store.prediction import PredictionBatch


class Handover:
    """The end of the old version's answers, as the log shows it.

    Parameters
    ----------
    version
        The one that has been promoted.
    promoted
        When, in microseconds since 1970 UTC; earlier rows say nothing of it.
    """

    def __init__(self, version: str, promoted: int) -> None:
        self._version = version
        self._last_other = promoted
        self._first: int | None = None

    @property
    def since(self) -> int | None:
        """When its first answer was given after which no other version answered; None before it."""
        return self._first

    def take(self, rows: PredictionBatch) -> None:
        """Take in new rows of every version."""
        own = np.asarray(rows.version) == self._version
        others: IntArray = rows.time[~own]
        if len(others) and others.max() > self._last_other:
            self._last_other = int(others.max())
            if self._first is not None and self._first <= self._last_other:
                self._first = None
        if self._first is None:
            after = rows.time[own & (rows.time > self._last_other)]
            self._first = int(after.min()) if len(after) else None
