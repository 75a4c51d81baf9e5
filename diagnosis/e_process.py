"""Evidence that grows while watched events are likelier than the reference permits.

Each bet wagers that an event happens more often than its bound ``u``. Against the alternative
that it fails to happen ``m`` times less often than the bound allows, ``w = 1 - (1 - u) / m``, a
row multiplies the stake by ``e = w / u`` where the event occurred and by ``1 / m`` where it did
not. Whatever the dependence between rows, the expectation of ``e`` given the past is at most one
as long as the bound holds. The Shiryaev-Roberts recursion ``M <- e (M + 1)`` starts a new wager
at every row; the mixture of all of them reaches ``A`` after ``A`` rows on average at the
earliest, and within ``n`` rows with probability at most ``n / A``.

References
----------
Shin, Ramdas and Rinaldo (2024), "E-detectors: A Nonparametric Framework for Sequential Change
Detection", NEJSDS, theorem 2.2: the expected run length of an e-SR procedure is at least ``A``.
Shiryaev (1963); Roberts (1966); Pollak (1985), "Optimal Detection of a Change in Distribution".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import log

import numpy as np

from plumbline.bundle.array import BoolArray, FloatArray, IntArray
from plumbline.diagnosis.null import FORGET, LEVELS, level_of

ALTERNATIVES = (20.0, 3.0)
"""How many times rarer than permitted the event fails to happen."""

CAP = 1e60
"""Largest stake: above every threshold, below overflow."""

GROWING = 10.0
"""The evidence has begun to grow where the mixture exceeds this; the onset of an episode."""

_ALTERNATIVES = np.array(ALTERNATIVES)
_SURE = 0.995  # a bound so close to one carries nothing to bet on


def factors(bounds: FloatArray) -> list[list[tuple[tuple[float, float], ...] | None]]:
    """Stake multipliers of every context.

    Parameters
    ----------
    bounds : (j, 2, LEVELS) float64
        From `diagnosis.null.fit_null`.

    Returns
    -------
    list
        By bet and context (``last * LEVELS + level``): for event off and on, one multiplier per
        alternative; None where no bet is placed.
    """
    table: list[list[tuple[tuple[float, float], ...] | None]] = []
    for bet in bounds.reshape(len(bounds), 2 * LEVELS):
        row: list[tuple[tuple[float, float], ...] | None] = []
        for u in bet:
            if u >= _SURE:
                row.append(None)
                continue
            on = tuple((1 - (1 - u) / m) / u for m in ALTERNATIVES)
            row.append(((1 / ALTERNATIVES[0], 1 / ALTERNATIVES[1]), (on[0], on[1])))
        table.append(row)
    return table


@dataclass
class _Stream:
    """The memory of one symbol's rows: one entry per bet."""

    average: list[float]
    context: list[int]
    stakes: list[tuple[float, float]]
    value: float = 0.0


@dataclass
class EProcess:
    """The mixture of all bets of one detector over all symbols.

    The average over symbols is valid under any dependence between them; their product would not be.

    Attributes
    ----------
    bounds : (j, 2, LEVELS) float64
        From `diagnosis.null.fit_null`.
    n
        Rows since the last reset.
    """

    bounds: FloatArray
    n: int = 0
    _quiet_at: int = 0
    _value: float = 0.0
    _streams: dict[str, _Stream] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._factors = factors(self.bounds)
        self._weight = 1.0 / (len(self.bounds) * len(ALTERNATIVES))

    @property
    def value(self) -> float:
        """The mixture itself, ``exp(log_e)``."""
        return self._value

    @property
    def log_e(self) -> float:
        """Evidence in nats; about -690 before the first bet, whose logarithm would be infinite."""
        return log(max(self._value, 1e-300))

    @property
    def onset(self) -> int:
        """Rows since the evidence began to grow."""
        return self.n - self._quiet_at

    def step(self, symbol: str, events: Sequence[int]) -> None:
        """Take one row: 1 on, 0 off, -1 for no bet, one entry per bet."""
        stream = self._streams.get(symbol)
        if stream is None:
            bets = len(self.bounds)
            stream = _Stream([0.0] * bets, [0] * bets, [(0.0, 0.0)] * bets)
            self._streams[symbol] = stream
        self.n += 1
        average, context, stakes = stream.average, stream.context, stream.stakes
        total = 0.0
        for j, event in enumerate(events):
            if event >= 0:
                pair = self._factors[j][context[j]]
                if pair is not None:
                    first, second = pair[event]
                    left, right = stakes[j]
                    left, right = first * (left + 1.0), second * (right + 1.0)
                    stakes[j] = (left if left < CAP else CAP, right if right < CAP else CAP)
                level = average[j] = average[j] + FORGET * (event - average[j])
                context[j] = event * LEVELS + int(level * (LEVELS - 1) + 0.5)
            stake = stakes[j]
            total += stake[0] + stake[1]
        stream.value = total * self._weight
        streams = self._streams
        self._value = (
            stream.value
            if len(streams) == 1
            else sum(each.value for each in streams.values()) / len(streams)
        )
        if self._value < GROWING:
            self._quiet_at = self.n

    def reset(self) -> None:
        """Forget the evidence, but not the contexts: the recent past stays what it was."""
        self.n = self._quiet_at = 0
        self._value = 0.0
        for stream in self._streams.values():
            stream.stakes = [(0.0, 0.0)] * len(self.bounds)
            stream.value = 0.0


def peaks(bounds: FloatArray, events: IntArray, breaks: BoolArray) -> FloatArray:
    """Highest evidence that each bet reaches on its own over some paths.

    The recursion of `EProcess.step`, for all bets of all paths at once.

    Parameters
    ----------
    bounds : (j, 2, LEVELS) float64
        From `diagnosis.null.fit_null`.
    events : (paths, n, j) int8
    breaks : (paths, n) bool
        The contexts begin anew there, while the evidence goes on.

    Returns
    -------
    (j,) float64
        In nats.
    """
    paths, rows, bets = events.shape
    u = np.clip(bounds.reshape(bets, -1), 1e-12, 1.0)[:, :, None]
    multiplier = np.stack(
        [np.broadcast_to(1 / _ALTERNATIVES, (*u.shape[:2], 2)), (1 - (1 - u) / _ALTERNATIVES) / u],
        axis=2,
    )
    multiplier[bounds.reshape(bets, -1) >= _SURE] = np.nan
    bet = np.arange(bets)
    average, context = np.zeros((paths, bets)), np.zeros((paths, bets), np.int64)
    stakes, highest = np.zeros((paths, bets, 2)), np.zeros(bets)
    for i in range(rows):
        begun = breaks[:, i]
        average[begun], context[begun] = 0.0, 0
        event = events[:, i].astype(np.int64)
        seen = event >= 0
        grown = np.minimum(multiplier[bet, context, np.maximum(event, 0)] * (stakes + 1), CAP)
        stakes = np.where(seen[:, :, None] & np.isfinite(grown), grown, stakes)
        average = np.where(seen, average + FORGET * (event - average), average)
        context = np.where(seen, event * LEVELS + level_of(average), context)
        highest = np.maximum(highest, stakes.mean(axis=2).max(axis=0))
    return np.log(np.maximum(highest, 1e-300))
