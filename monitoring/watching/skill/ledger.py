"""Predictions as they wait for their outcomes, and as figures are made of them: a bounded ring."""

from __future__ import annotations

import numpy as np

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.manifest import Manifest
from plumbline.bundle.moment import SECOND
from plumbline.bundle.outputs import Outputs
from plumbline.diagnosis.outcomes.settled import Settled
from plumbline.store.prediction import PredictionBatch

CAPACITY = 200_000
"""Predictions that are kept; the oldest go first. About 200 bytes each."""


class Ledger:
    """The newest predictions of one version, each with the truth of its outputs as it comes.

    Parameters
    ----------
    manifest, outputs
        Of the version.
    capacity
        Rows kept.
    """

    def __init__(self, manifest: Manifest, outputs: Outputs, *, capacity: int = CAPACITY) -> None:
        width, count = sum(spec.width for spec in outputs.specs), len(outputs.specs)
        self._outputs, self._capacity = outputs, capacity
        self._interval = manifest.bar_interval_seconds * SECOND
        self._grouped = manifest.unit == "cross_section"
        self._ids: list[str | None] = []
        self._slots: dict[str, int] = {}
        self._added = 0
        # pages that no row has reached yet cost nothing
        self.time = np.empty(capacity, np.int64)
        self.moment = np.empty(capacity, np.int64)
        self._centre = np.empty((capacity, width), np.float32)
        self._epistemic = np.empty((capacity, count), np.float32)
        self._action = np.empty(capacity, np.int8)
        self._position, self._size = np.empty((2, capacity), np.float32)
        self.truth = np.empty((capacity, count), np.float64)
        self.known_at = np.empty((capacity, count), np.int64)

    def __len__(self) -> int:
        return len(self._slots)

    def add(self, batch: PredictionBatch) -> None:
        """Take rows of the version, each new; the oldest make room."""
        moment = self._moments(batch)
        for start in range(0, len(batch), self._capacity):
            some = slice(start, start + self._capacity)
            rows = batch.take(some)
            slots = (self._added + np.arange(len(rows))) % self._capacity
            self._added += len(rows)
            self._name(slots, rows)
            self.time[slots], self.moment[slots] = rows.time, moment[some]
            self._centre[slots], self._epistemic[slots] = rows.centre, rows.epistemic
            self._action[slots] = rows.action
            self._position[slots], self._size[slots] = rows.position, rows.size
            self.truth[slots], self.known_at[slots] = np.nan, 0

    def slot(self, prediction_id: str) -> int | None:
        """Return where a prediction lies; None if it is not, or no longer, at hand."""
        return self._slots.get(prediction_id)

    def prediction_id(self, slot: int) -> str:
        """Return whose place it is."""
        return str(self._ids[slot])

    def settled(self, output: int, slots: IntArray, truth: FloatArray | None = None) -> Settled:
        """Return rows of one output, by moment; ``truth`` if it is not that of now."""
        spec = self._outputs.specs[output]
        known = self.truth[slots, output] if truth is None else truth
        order = np.argsort(self.moment[slots], kind="stable")
        slots = slots[order]
        decides = spec.name == self._outputs.primary
        n = len(slots)
        nothing = np.zeros(n)
        centre = self._centre[:, self._outputs.centre_slices[spec.name]]
        return Settled(
            moment=self.moment[slots],
            centre=centre[slots].astype(np.float64),
            epistemic=self._epistemic[slots, output].astype(np.float64),
            action=self._action[slots].astype(np.int64) if decides else np.full(n, -1),
            position=self._position[slots].astype(np.float64) if decides else nothing,
            size=self._size[slots].astype(np.float64) if decides else nothing,
            truth=known[order],
        )

    def known(self, output: int, limit: int) -> IntArray:
        """Return the places of the newest rows whose truth is known, so many at most."""
        held = min(self._added, self._capacity)
        newest = (self._added - 1 - np.arange(held)) % self._capacity
        found = newest[np.isfinite(self.truth[newest, output])]
        return np.asarray(found[:limit])

    def waiting(self, output: int) -> int:
        """Return how many rows have no truth yet."""
        held = min(self._added, self._capacity)
        return int(np.isnan(self.truth[:held, output]).sum())

    def _name(self, slots: IntArray, rows: PredictionBatch) -> None:
        for slot, name in zip(slots.tolist(), rows.prediction_id.tolist(), strict=True):
            if slot < len(self._ids):
                before = self._ids[slot]
                if before is not None and self._slots.get(before) == slot:
                    del self._slots[before]
                self._ids[slot] = name
            else:
                self._ids.append(name)
            self._slots[name] = slot

    def _moments(self, batch: PredictionBatch) -> IntArray:
        """Return what rows of one moment share: the bar, or else that in which they were answered.

        A cross-section is one moment, that of its first row.
        """
        moment = np.where(batch.bar_time >= 0, batch.bar_time, batch.time)
        moment = moment // self._interval * self._interval
        if not self._grouped or not len(batch):
            return np.asarray(moment)
        _, first, code = np.unique(batch.group, return_index=True, return_inverse=True)
        return np.asarray(moment[first][code])
