"""The rows of one version as they are judged: retries left out, the recent past at hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from plumbline.bundle.outputs import Outputs
from plumbline.bundle.reading import Reading, joined
from plumbline.diagnosis.sample import Sample
from plumbline.store.prediction import PredictionBatch

MOST_RETRIES = 30
"""A bar asked about more often than this in a row is no retry: the feed stands still."""


@dataclass
class Stream:
    """Rows of one version, oldest first, numbered from 0, as its heads read them.

    Attributes
    ----------
    version
        Rows of other versions are left out.
    outputs
        Of the version.
    kept
        How many of the newest rows stay at hand.
    """

    version: str
    outputs: Outputs
    kept: int
    _asked: dict[str, tuple[int, str, int]] = field(default_factory=dict)
    _rows: PredictionBatch | None = None
    _readings: dict[str, Reading] = field(default_factory=dict)
    _first: int = 0

    def accept(self, batch: PredictionBatch) -> PredictionBatch:
        """Take the rows of this version that are not retries, and return them.

        A retry asks about the same bar of the same symbol, with the same inputs, as the row before
        it. Rows that do not say which bar they are about are never taken for retries. A batch holds
        cross-sections whole, since ranks are read within it.
        """
        mask = np.asarray(batch.version) == self.version
        for i in np.flatnonzero(mask).tolist():
            mask[i] = self._is_news(
                str(batch.symbol[i]), int(batch.bar_time[i]), str(batch.inputs_hash[i])
            )
        accepted = batch.take(mask)
        self._remember(accepted)
        return accepted

    def sample(self, rows: Sequence[int]) -> Sample:
        """Return the rows with these numbers; those no longer at hand are left out."""
        if self._rows is None:
            raise ValueError("no row has been accepted yet")
        positions = np.asarray(rows, np.int64) - self._first
        positions = positions[positions >= 0]
        found = self._rows.take(positions)
        return Sample(
            readings={name: each.take(positions) for name, each in self._readings.items()},
            action=found.action if self.outputs.policy.actions else None,
            features=found.features,
            group=found.group,
            bar_time=found.bar_time,
            symbol=found.symbol,
            inputs_hash=found.inputs_hash,
        )

    def prediction_id(self, row: int) -> str:
        """Return the id of the row with this number."""
        if self._rows is None:
            raise ValueError("no row has been accepted yet")
        return str(self._rows.prediction_id[row - self._first])

    def _is_news(self, symbol: str, bar_time: int, inputs_hash: str) -> bool:
        last = self._asked.get(symbol)
        same = last is not None and bar_time >= 0 and last[:2] == (bar_time, inputs_hash)
        times = last[2] + 1 if last is not None and same else 0
        self._asked[symbol] = (bar_time, inputs_hash, times)
        return not same or times > MOST_RETRIES

    def _remember(self, accepted: PredictionBatch) -> None:
        readings = self.outputs.restore(accepted.centre, accepted.epistemic, accepted.group)
        if self._rows is None:
            self._rows, self._readings = accepted, readings
            return
        spare = max(0, len(self._rows) - self.kept)
        self._first += spare
        kept = slice(spare, None)
        self._rows = _after(self._rows.take(kept), accepted)
        self._readings = {
            name: joined([each.take(kept), readings[name]]) for name, each in self._readings.items()
        }


def _after(first: PredictionBatch, second: PredictionBatch) -> PredictionBatch:
    columns = {
        each.name: np.concatenate([getattr(first, each.name), getattr(second, each.name)])
        for each in fields(PredictionBatch)
    }
    return PredictionBatch(**columns)


def whole_groups(batch: PredictionBatch, size: int) -> Iterator[PredictionBatch]:
    """Cut a batch into pieces of about ``size`` rows, no cross-section in two of them."""
    group = np.asarray(batch.group)
    begins = np.append(True, (group[1:] != group[:-1]) | (group[1:] == ""))
    borders = np.append(np.flatnonzero(begins), len(batch))
    start = 0
    while start < len(batch):
        stop = int(borders[np.searchsorted(borders, min(start + size, len(batch)))])
        yield batch.take(slice(start, stop))
        start = stop
