"""Outcomes find their predictions: early, late, repeated, corrected, or none of ours."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from math import isnan
from typing import NamedTuple

import numpy as np

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.manifest import Manifest
from plumbline.bundle.moment import SECOND
from plumbline.bundle.outputs import Outputs
from plumbline.monitoring.watching.skill.ledger import Ledger
from plumbline.monitoring.watching.skill.truth import TruthReader
from plumbline.store.outcome import SKEW, OutcomeBatch
from plumbline.store.prediction import PredictionBatch

PATIENCE_SECONDS = 7 * 86_400
"""How long after its horizon a prediction waits for an outcome."""

SETTLE_SECONDS = 10
"""How long a moment waits for the outcomes of its other rows, since its first."""

MOST_EARLY = 20_000
"""Outcomes that are kept although their prediction has not been read; the oldest go first."""

MOST_REPEATS = 8
"""Of them of one prediction."""

RESULTS = (
    "joined",
    "corrected",
    "repeated",
    "unmatched",
    "undecided",
    "too_early",
    "too_late",
    "out_of_order",
    "from_future",
)
"""What becomes of an outcome; docs/skill.md says what each means."""

UNUSED = RESULTS[3:]
"""Those of which nothing is bet on."""


class Said(NamedTuple):
    """What a client says of one output of one prediction."""

    known_at: int
    received: int
    label: str
    value: float


class Ready(NamedTuple):
    """Whole moments of one output, in order: its place, their rows, and what is known of them."""

    place: int
    slots: IntArray
    truth: FloatArray


@dataclass
class _Pending:
    """Moments of one output whose rows may still come, and rows of those of which none may."""

    moments: dict[int, tuple[int, list[int]]] = field(default_factory=dict)
    slots: list[int] = field(default_factory=list)
    truth: list[float] = field(default_factory=list)
    bet_until: int = -(2**62)


class Join:
    """Joins the outcomes of one version with its predictions, and hands out whole moments.

    The first truth known of a prediction when its moment is handed out is the one that is bet on,
    once; a correction changes the figures alone. Moments are handed out in order: a row that comes
    when a later moment has gone is not bet on.

    Parameters
    ----------
    manifest, outputs
        Of the version.
    ledger
        Its predictions.
    """

    def __init__(self, manifest: Manifest, outputs: Outputs, ledger: Ledger) -> None:
        self._ledger = ledger
        self._places = {spec.name: place for place, spec in enumerate(outputs.specs)}
        self._horizons = [spec.horizon_seconds * SECOND for spec in outputs.specs]
        self._read = [TruthReader(spec, manifest.label) for spec in outputs.specs]
        self._pending = [_Pending() for _ in outputs.specs]
        self._early: dict[tuple[str, int], list[Said]] = {}
        self.counts: Counter[str] = Counter(dict.fromkeys(RESULTS, 0))
        self._last: int | None = None

    def add(self, rows: PredictionBatch) -> None:
        """Take predictions; outcomes that were there before them are joined at once."""
        self._ledger.add(rows)
        if not self._early:
            return
        for name in rows.prediction_id.tolist():
            for place in self._places.values():
                for said in self._early.pop((name, place), ()):
                    self._apply(name, place, said)

    def take(self, batch: OutcomeBatch) -> list[Ready]:
        """Take outcomes as they arrived; returns the moments that are whole by then."""
        self.counts["from_future"] += batch.from_future
        numbers = zip(
            batch.known_at.tolist(),
            batch.received.tolist(),
            batch.label.tolist(),
            batch.value.tolist(),
            strict=True,
        )
        names = zip(batch.prediction_id.tolist(), batch.output.tolist(), strict=True)
        for (name, output), said in zip(names, map(Said._make, numbers), strict=True):
            place = self._places.get(output)
            if place is None:
                self.counts["unmatched"] += 1
                continue
            if self._last is None or said.received - self._last >= SETTLE_SECONDS * SECOND:
                self._close(said.received)
            self._apply(name, place, said)
        return self._hand_out()

    def settle(self, now: int) -> list[Ready]:
        """Return the moments that have waited long enough by then, microseconds."""
        self._close(now)
        return self._hand_out()

    def _close(self, now: int) -> None:
        self._last = now if self._last is None else max(self._last, now)
        limit = now - SETTLE_SECONDS * SECOND
        for place, pending in enumerate(self._pending):
            due = [moment for moment, (first, _) in pending.moments.items() if first <= limit]
            if not due:
                continue
            pending.bet_until = newest = max(due)
            for moment in sorted(moment for moment in pending.moments if moment <= newest):
                slots = pending.moments.pop(moment)[1]
                pending.slots += slots
                pending.truth += self._ledger.truth[slots, place].tolist()

    def _hand_out(self) -> list[Ready]:
        found = []
        for place, pending in enumerate(self._pending):
            if pending.slots:
                slots, truth = np.asarray(pending.slots, np.int64), np.asarray(pending.truth)
                found.append(Ready(place, slots, truth))
                pending.slots, pending.truth = [], []
        return found

    def _apply(self, name: str, place: int, said: Said) -> None:
        slot = self._ledger.slot(name)
        if slot is None:
            self._keep(name, place, said)
            return
        horizon = self._horizons[place]
        truth = self._read[place](said.label, said.value)
        if isnan(truth):
            self.counts["undecided"] += 1
        elif said.received - int(self._ledger.time[slot]) > horizon + PATIENCE_SECONDS * SECOND:
            self.counts["too_late"] += 1
        elif said.known_at < int(self._ledger.moment[slot]) + horizon - SKEW:
            self.counts["too_early"] += 1
        else:
            self._write(slot, place, said, truth)

    def _write(self, slot: int, place: int, said: Said, truth: float) -> None:
        ledger, pending = self._ledger, self._pending[place]
        before, moment = float(ledger.truth[slot, place]), int(ledger.moment[slot])
        if not isnan(before) and said.known_at < ledger.known_at[slot, place]:
            self.counts["repeated"] += 1
            return
        ledger.truth[slot, place], ledger.known_at[slot, place] = truth, said.known_at
        if not isnan(before):
            self.counts["repeated" if truth == before else "corrected"] += 1
        elif moment <= pending.bet_until:
            self.counts["out_of_order"] += 1
        else:
            self.counts["joined"] += 1
            pending.moments.setdefault(moment, (said.received, []))[1].append(slot)

    def _keep(self, name: str, place: int, said: Said) -> None:
        """Keep an outcome whose prediction has not been read, as long as there is room."""
        kept = self._early.setdefault((name, place), [])
        kept.append(said)
        if len(kept) > MOST_REPEATS:
            del kept[0]
            self.counts["unmatched"] += 1
        if len(self._early) > MOST_EARLY:
            self.counts["unmatched"] += len(self._early.pop(next(iter(self._early))))
