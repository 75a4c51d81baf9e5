"""Outcomes find their predictions: early, late, repeated, corrected, or none of ours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from plumbline.bundle.array import IntArray
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


@dataclass
class _Pending:
    """Moments of one output whose rows may still come; none at or before ``bet_until`` may."""

    moments: dict[int, tuple[int, list[int]]] = field(default_factory=dict)
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
        self._early: dict[tuple[str, int], list[tuple[int, int, str, float]]] = {}
        self.counts: Counter[str] = Counter(dict.fromkeys(RESULTS, 0))
        self.last: int | None = None

    def add(self, rows: PredictionBatch) -> None:
        """Take predictions; outcomes that were there before them are joined at once."""
        self._ledger.add(rows)
        if not self._early:
            return
        for name in rows.prediction_id.tolist():
            for place in self._places.values():
                for known_at, received, label, value in self._early.pop((name, place), ()):
                    self._apply(name, place, known_at, received, label, value)

    def take(self, batch: OutcomeBatch) -> Iterator[tuple[int, IntArray]]:
        """Take outcomes as they arrived; yields an output's place and the rows of whole moments."""
        self.counts["from_future"] += batch.from_future
        columns = (
            batch.prediction_id.tolist(),
            batch.output.tolist(),
            batch.known_at.tolist(),
            batch.received.tolist(),
            batch.label.tolist(),
            batch.value.tolist(),
        )
        for name, output, known_at, received, label, value in zip(*columns, strict=True):
            place = self._places.get(output)
            if place is None:
                self.counts["unmatched"] += 1
                continue
            if self.last is None or received - self.last >= SETTLE_SECONDS * SECOND:
                yield from self.settle(received)
            self._apply(name, place, known_at, received, label, value)

    def settle(self, now: int) -> Iterator[tuple[int, IntArray]]:
        """Hand out the moments that have waited long enough by then, microseconds."""
        self.last = now if self.last is None else max(self.last, now)
        limit = now - SETTLE_SECONDS * SECOND
        for place, pending in enumerate(self._pending):
            due = [moment for moment, (first, _) in pending.moments.items() if first <= limit]
            if not due:
                continue
            newest = max(due)
            ready = sorted(moment for moment in pending.moments if moment <= newest)
            slots = [slot for moment in ready for slot in pending.moments.pop(moment)[1]]
            pending.bet_until = newest
            yield place, np.asarray(slots, np.int64)

    def _apply(
        self, name: str, place: int, known_at: int, received: int, label: str, value: float
    ) -> None:
        slot = self._ledger.slot(name)
        if slot is None:
            self._keep(name, place, (known_at, received, label, value))
            return
        ledger, horizon = self._ledger, self._horizons[place]
        moment = int(ledger.moment[slot])
        truth = self._read[place](label, value)
        if truth != truth:
            self.counts["undecided"] += 1
        elif received - int(ledger.time[slot]) > horizon + PATIENCE_SECONDS * SECOND:
            self.counts["too_late"] += 1
        elif known_at < moment + horizon - SKEW:
            self.counts["too_early"] += 1
        else:
            self._write(slot, place, moment, known_at, received, truth)

    def _write(
        self, slot: int, place: int, moment: int, known_at: int, received: int, truth: float
    ) -> None:
        ledger, pending = self._ledger, self._pending[place]
        before = float(ledger.truth[slot, place])
        if before != before:
            self.counts["joined"] += 1
            ledger.truth[slot, place], ledger.known_at[slot, place] = truth, known_at
            if moment <= pending.bet_until:
                self.counts["out_of_order"] += 1
                return
            pending.moments.setdefault(moment, (received, []))[1].append(slot)
        elif known_at >= ledger.known_at[slot, place]:
            self.counts["repeated" if truth == before else "corrected"] += 1
            ledger.truth[slot, place], ledger.known_at[slot, place] = truth, known_at
        else:
            self.counts["repeated"] += 1

    def _keep(self, name: str, place: int, said: tuple[int, int, str, float]) -> None:
        """Keep an outcome whose prediction has not been read, as long as there is room."""
        kept = self._early.setdefault((name, place), [])
        kept.append(said)
        if len(kept) > MOST_REPEATS:
            del kept[0]
            self.counts["unmatched"] += 1
        if len(self._early) > MOST_EARLY:
            self.counts["unmatched"] += len(self._early.pop(next(iter(self._early))))
