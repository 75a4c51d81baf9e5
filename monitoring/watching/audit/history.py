"""Whether a window is what the stream of last steps makes it.

A client keeps its own history. What it logs of a row is the window's last step and a hash over all
of it, so the window can be made again from the last steps of the rows before, and its hash says
whether that is what the model was shown. What matches is known to the bit and can be replayed; what
does not says little by itself: a row may have been dropped, a bar revised, the history computed
anew with other rounding.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from plumbline.bundle.array import BoolArray
from plumbline.bundle.inputs import inputs_hash, parse_inputs
from plumbline.bundle.manifest import Manifest
from plumbline.bundle.reference import ReferenceProfile
from plumbline.diagnosis.exact.comparison import Scale
from plumbline.monitoring.watching.audit.layout import Layout
from plumbline.monitoring.watching.audit.rebuilt import Rebuilt
from plumbline.monitoring.watching.audit.rings import AT_ONCE, Placed, Rings
from plumbline.store.prediction import PredictionBatch

EVERY = 4
"""Of a symbol that gives no reason to look closer, every so many rows are made again."""


class History:
    """The windows of one version's rows, made again from the log.

    Parameters
    ----------
    manifest, reference
        Of the version.
    every
        See `EVERY`.
    """

    def __init__(
        self, manifest: Manifest, reference: ReferenceProfile, *, every: int = EVERY
    ) -> None:
        self._layout = Layout(manifest)
        self._scale = Scale.of(reference.features)
        self._rings = Rings(self._layout.steps, self._layout.width)
        self._interval = manifest.bar_interval_seconds * 1_000_000
        self._crosswise = manifest.unit == "cross_section"
        self._every = every

    def take(self, batch: PredictionBatch) -> Rebuilt:
        """Take rows, oldest in the log first, retries left out; return the windows known of them.

        Late, disordered and repeated rows are put where their bar belongs; a row that does not say
        its bar comes after the row before it. What is found does not depend on how rows are cut
        into batches.
        """
        made = _Made()
        names = _names(batch)
        start = 0
        while start < len(batch):
            stop = min(start + AT_ONCE, len(batch))
            slot = self._rings.slots(names[start:stop])
            placed = self._rings.add(slot, batch.bar_time[start:stop], batch.features[start:stop])
            self._look(batch, start, placed, made)
            start += len(placed)
        return made.rebuilt(self._layout)

    def _look(self, batch: PredictionBatch, start: int, placed: Placed, made: _Made) -> None:
        """Make the windows of some rows again: those that are due, and those logged whole."""
        ask = self._due(placed)
        ask |= [data is not None for data in batch.window[start : start + len(placed)].tolist()]
        for i in np.flatnonzero(ask).tolist():
            self._make(batch, start + i, placed, i, made)

    def _due(self, placed: Placed) -> BoolArray:
        """Tell which rows to make again; of a cross-section all or none."""
        if self._crosswise:
            due: BoolArray = placed.key // self._interval % self._every == 0
        else:
            due = placed.number % self._every == 0
        return due

    def _make(self, batch: PredictionBatch, row: int, placed: Placed, i: int, made: _Made) -> None:
        data = batch.window[row]
        slot, place = int(placed.slot[i]), int(placed.place[i])
        first = place + 1 - self._layout.steps
        if not self._layout.rebuildable or first < 0:
            if data is not None:
                made.add(row, data, exact=True)
            return
        steps = self._rings.values[slot, first : place + 1]
        if not placed.own[i]:
            steps = np.concatenate([steps[:-1], batch.features[row, None]])
        again = self._layout.data(steps)
        same = again == data if data is not None else inputs_hash(again) == batch.inputs_hash[row]
        made.add(row, again if data is None else data, exact=same or data is not None)
        if same and placed.own[i]:
            name = place + self._rings.moved[slot]
            self._rings.verified[slot] = max(self._rings.verified[slot], name)


def _names(batch: PredictionBatch) -> list[str]:
    """Return whose history each row belongs to: of a symbol, and of a client where it is known."""
    symbols: list[str] = batch.symbol.tolist()
    if not (batch.client != "").any():
        return symbols
    pairs = zip(batch.client.tolist(), symbols, strict=True)
    return [f"{client}\0{symbol}" for client, symbol in pairs]


@dataclass
class _Made:
    """Windows as they are made again."""

    rows: list[int] = field(default_factory=list)
    data: list[bytes] = field(default_factory=list)
    exact: list[bool] = field(default_factory=list)

    def add(self, row: int, data: bytes, *, exact: bool) -> None:
        """Add one."""
        self.rows.append(row)
        self.data.append(data)
        self.exact.append(exact)

    def rebuilt(self, layout: Layout) -> Rebuilt:
        """Return all of them."""
        return Rebuilt(
            rows=np.array(self.rows, np.int64),
            windows=parse_inputs(layout.given, self.data),
            exact=np.array(self.exact, bool),
        )
