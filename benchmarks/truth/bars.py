"""What the monitor learns from bars, where it can read them: the project's own recomputation.

In production a job computes the newest rows again every so often; here it is asked after every
slice, for kinds that nothing else can decide, and at the end of what is harmless, which it must
not accuse.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from plumbline.bundle.finding import Diagnosis
from plumbline.diagnosis.exact.recomputed import Recomputed, compare
from plumbline.monitoring.recompute import FIRST_ROWS
from plumbline.store.prediction import PredictionBatch
from plumbline.training.recompute import ROWS
from plumbline.training.sent_rows import Sheet, lay_beside, newest_each, sent_columns

if TYPE_CHECKING:
    from benchmarks.truth.scene import Scene


class Recomputation:
    """Compares the rows of a scene with what training computes of the bars that really were."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    @cached_property
    def _sheets(self) -> dict[str, Sheet]:
        scene, market = self._scene, self._scene.market
        right = scene.tables if scene.kind.harmless else scene.sound_tables
        mirror = np.full_like(right, np.nan) if scene.kind.harmless else scene.mirrored_tables()
        time = scene.moments.copy()
        if scene.kind.harmless:  # what is said of bars is true
            own = ~scene.retried
            time[scene.bar[own]] = scene.bar_time[own]
        return {
            symbol: Sheet(
                time=time,
                values=right[i].astype(np.float64),
                mirror=mirror[i].astype(np.float64),
                interval=market.interval,
            )
            for i, symbol in enumerate(market.symbols)
        }

    def __call__(self, batch: PredictionBatch) -> Diagnosis | None:
        """Return the client's fault as the newest rows of a log show it; None without one."""
        if len(batch) < FIRST_ROWS:
            return None
        market = self._scene.market
        sent = newest_each(sent_columns(batch, market.symbols), ROWS)
        pairs, _ = lay_beside(sent, self._sheets, market.names, *market.reach)
        judged = compare(pairs)
        found = Recomputed(
            model=market.name,
            version=market.bundle.version,
            bars=market.name,
            compared=len(pairs),
            rows=judged.rows,
            wrong=judged.wrong,
            symbols=judged.symbols,
            clients=judged.clients,
            verdict=judged.sentence(len(pairs)),
        )
        return found.diagnosis()
