"""The rows of one version as they are judged: retries left out, the recent past at hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from plumbline.diagnosis.sample import Sample
from plumbline.store.prediction import PredictionBatch

MOST_RETRIES = 30
"""A bar asked about more often than this in a row is no retry: the feed stands still."""


@dataclass
class Stream:
    """Rows of one version, oldest first, numbered from 0.

    Attributes
    ----------
    version
        Rows of other versions are left out.
    kept
        How many of the newest rows stay at hand.
    """

    version: str
    kept: int
    _asked: dict[str, tuple[int, str, int]] = field(default_factory=dict)
    _rows: PredictionBatch | None = None
    _first: int = 0

    def accept(self, batch: PredictionBatch) -> PredictionBatch:
        """Take the rows of this version that are not retries, and return them.

        A retry asks about the same bar of the same symbol, with the same window, as the row before
        it. Rows that do not say which bar they are about are never taken for retries.
        """
        mask = np.asarray(batch.version) == self.version
        for i in np.flatnonzero(mask).tolist():
            mask[i] = self._is_news(
                str(batch.symbol[i]), int(batch.bar_time[i]), str(batch.window_hash[i])
            )
        accepted = batch.take(mask)
        self._remember(accepted)
        return accepted

    def sample(self, rows: Sequence[int]) -> Sample:
        """Return the rows with these numbers; those no longer at hand are left out."""
        if self._rows is None:
            raise ValueError("no row has been accepted yet")
        positions = np.asarray(rows, np.int64) - self._first
        found = self._rows.take(positions[positions >= 0])
        return Sample(
            logits=found.logits,
            probabilities=found.probabilities,
            actions=found.action,
            features=found.features,
            bar_time=found.bar_time,
            symbol=found.symbol,
            window_hash=found.window_hash,
        )

    def prediction_id(self, row: int) -> str:
        """Return the id of the row with this number."""
        if self._rows is None:
            raise ValueError("no row has been accepted yet")
        return str(self._rows.prediction_id[row - self._first])

    def _is_news(self, symbol: str, bar_time: int, window_hash: str) -> bool:
        last = self._asked.get(symbol)
        same = last is not None and bar_time >= 0 and last[:2] == (bar_time, window_hash)
        times = last[2] + 1 if last is not None and same else 0
        self._asked[symbol] = (bar_time, window_hash, times)
        return not same or times > MOST_RETRIES

    def _remember(self, accepted: PredictionBatch) -> None:
        if self._rows is None:
            self._rows = accepted
            return
        spare = max(0, len(self._rows) - self.kept)
        self._first += spare
        names = [each.name for each in fields(PredictionBatch)]
        self._rows = PredictionBatch(
            **{
                name: np.concatenate([getattr(self._rows, name)[spare:], getattr(accepted, name)])
                for name in names
            }
        )
