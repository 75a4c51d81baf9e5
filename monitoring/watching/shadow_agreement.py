"""Whether two versions do the same with the same requests."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from plumbline.store.prediction import PredictionBatch

KEPT = 20_000
"""Rows of either side that may wait for the other's; the oldest go first."""

_Choice = tuple[int, float]


@dataclass
class ShadowAgreement:
    """Pairs the rows of champion and challenger by their ids, whichever comes first.

    Two answers agree if their actions are the same; without actions, if their positions have the
    same sign.

    Attributes
    ----------
    pairs
        Requests that both have answered.
    agreed
        In how many of them they agree.
    """

    pairs: int = 0
    agreed: int = 0
    _apart: float = 0.0
    _given: dict[str, _Choice] = field(default_factory=dict)
    _shadow: dict[str, _Choice] = field(default_factory=dict)

    def add(self, given: PredictionBatch, shadow: PredictionBatch) -> None:
        """Take new rows of either side."""
        self._pair(given, self._given, self._shadow)
        self._pair(shadow, self._shadow, self._given)

    @property
    def ratio(self) -> float | None:
        """Share of the pairs that agree; None before the first."""
        return self.agreed / self.pairs if self.pairs else None

    @property
    def distance(self) -> float | None:
        """Mean difference of the positions; None before the first pair."""
        return self._apart / self.pairs if self.pairs else None

    def _pair(
        self, rows: PredictionBatch, mine: dict[str, _Choice], others: dict[str, _Choice]
    ) -> None:
        columns = (rows.prediction_id.tolist(), rows.action.tolist(), rows.position.tolist())
        for name, action, position in zip(*columns, strict=True):
            other = others.pop(name, None)
            if other is None:
                mine[name] = action, position
            else:
                self._count((action, position), other)
        while len(mine) > KEPT:
            del mine[next(iter(mine))]

    def _count(self, one: _Choice, other: _Choice) -> None:
        if one[0] < 0 or other[0] < 0:
            same = bool(np.sign(one[1]) == np.sign(other[1]))
        else:
            same = one[0] == other[0]
        self.pairs += 1
        self.agreed += same
        self._apart += abs(one[1] - other[1])
