"""Evidence one row at a time, as the books have it: what the fast way is held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from plumbline.diagnosis.e_process import ALTERNATIVES, CAP, GROWING, POOLED_EVERY
from plumbline.diagnosis.null import FORGET, LEVELS

_SURE = 0.995


@dataclass
class _Symbol:
    average: list[float]
    last: list[int]
    stakes: list[list[float]]
    n: int = 0
    quiet_at: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)


@dataclass
class Stepwise:
    """The mixtures of some bets over symbols, with no array and no shortcut."""

    bounds: np.ndarray
    sizes: Sequence[int]
    levels: Sequence[float]
    alarmed: list[bool] = field(default_factory=list)
    accused: list[set[str]] = field(default_factory=list)
    rows: int = 0
    symbols: dict[str, _Symbol] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.alarmed = [False] * len(self.sizes)
        self.accused = [set() for _ in self.sizes]

    def step(self, symbol: str, events: Sequence[int]) -> list[int]:
        """Take one row and return the mixtures that newly alarm."""
        bets = len(self.bounds)
        own = self.symbols.setdefault(
            symbol, _Symbol([0.0] * bets, [0] * bets, [[0.0] * len(ALTERNATIVES)] * bets)
        )
        own.quiet_at = own.quiet_at or [0] * len(self.sizes)
        own.n += 1
        for j, event in enumerate(events):
            if event < 0:
                continue
            u = self.bounds[j, own.last[j], int(own.average[j] * (LEVELS - 1) + 0.5 + 1e-9)]
            if u < _SURE:
                own.stakes[j] = [
                    min(CAP, (((1 - (1 - u) / m) / u) if event else 1 / m) * (stake + 1))
                    for m, stake in zip(ALTERNATIVES, own.stakes[j], strict=True)
                ]
            own.average[j] += FORGET * (event - own.average[j])
            own.last[j] = event
        own.values = self._mixtures(own)
        for d, value in enumerate(own.values):
            if value < GROWING:
                own.quiet_at[d] = own.n
        self.rows += 1
        return self._alarms(symbol, own)

    def value(self, d: int) -> float:
        """Return the average of a mixture over symbols."""
        return sum(each.values[d] for each in self.symbols.values()) / len(self.symbols)

    def reset(self) -> None:
        """Forget the evidence and keep the contexts."""
        self.__post_init__()
        for own in self.symbols.values():
            own.stakes = [[0.0] * len(ALTERNATIVES)] * len(self.bounds)
            own.values, own.quiet_at = [0.0] * len(self.sizes), [0] * len(self.sizes)
            own.n = 0

    def _mixtures(self, own: _Symbol) -> list[float]:
        values, first = [], 0
        for size in self.sizes:
            stakes = [each for bet in own.stakes[first : first + size] for each in bet]
            values.append(sum(stakes) / len(stakes))
            first += size
        return values

    def _alarms(self, symbol: str, own: _Symbol) -> list[int]:
        new = []
        looked = self.rows % POOLED_EVERY == 0
        for d, level in enumerate(self.levels):
            alone = own.values[d] >= level * len(self.symbols)
            if alone:
                self.accused[d].add(symbol)
            if (alone or (looked and self.value(d) >= level)) and not self.alarmed[d]:
                self.alarmed[d] = True
                new.append(d)
        return new
