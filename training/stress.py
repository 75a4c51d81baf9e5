"""Markets under stress, made from real bars: what their columns look like goes into the bundle.

Each scenario takes a stretch of real bars, times included, and bends some of them: nobody trades,
prices run one way, moves are many times as large. Then the market goes on as it did, from where it
has come to. The feature set is applied to them as to any others, so that the rows are exactly what
a client would send of such a market.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from plumbline.bundle.array import BoolArray, FloatArray
from plumbline.bundle.stress import StressRows
from plumbline.training.bars import COLUMNS, PRICES, Bars
from plumbline.training.feature_sets import FeatureSet
from plumbline.training.feature_table import bar_array, compute

BENT, AFTER = 140, 60
"""Bars that are bent, and bars after them."""

ROWS = BENT + AFTER
PLACES = 2
"""Stretches of each symbol that are bent, of at most `SYMBOLS` of them."""

SYMBOLS = 3

Bend = Callable[[Bars, float], Bars]
"""From real bars and the close before them to those of a market under stress."""


def _standing(bars: Bars, before: float) -> Bars:
    """Nobody trades: one price, no volume."""
    price = np.full(len(bars), before)
    return replace(bars, open=price, high=price, low=price, close=price, volume=np.zeros(len(bars)))


def _thin(bars: Bars, before: float) -> Bars:
    """Nobody trades in every second bar, on average."""
    return _traded_in(bars, before, np.random.default_rng(0).random(len(bars)) < 0.5)


def _sparse(bars: Bars, before: float) -> Bars:
    """Nobody trades in every second bar: no move follows another, at any width."""
    return _traded_in(bars, before, np.arange(len(bars)) % 2 == 1)


def _traded_in(bars: Bars, before: float, traded: BoolArray) -> Bars:
    """Bars of which only some were traded in; the others stand at the close before."""
    last = np.maximum.accumulate(np.where(traded, np.arange(len(bars)), -1))
    close = np.where(last >= 0, bars.close[np.maximum(last, 0)], before)
    opened, high, low = (np.where(traded, each, close) for each in (bars.open, bars.high, bars.low))
    volume = np.where(traded, bars.volume, 0.0)
    return replace(bars, open=opened, high=high, low=low, close=close, volume=volume)


def _rising(bars: Bars, before: float) -> Bars:
    return _one_way(bars, before, 1.0)


def _falling(bars: Bars, before: float) -> Bars:
    return _one_way(bars, before, -1.0)


def _one_way(bars: Bars, before: float, sign: float) -> Bars:
    """Every bar closes beyond the one before it, at its extreme."""
    moves = np.abs(_moves(bars, before))
    step = np.maximum(moves, max(float(np.median(moves)), 1e-6)) * sign
    close = before * np.exp(np.cumsum(step))
    opened = np.concatenate([[before], close[:-1]])
    return replace(
        bars,
        open=opened,
        close=close,
        high=np.maximum(opened, close),
        low=np.minimum(opened, close),
    )


def _times(factor: float) -> Bend:
    """Every move is so many times as large."""

    def bend(bars: Bars, before: float) -> Bars:
        return _stretched(bars, before, factor * _moves(bars, before), factor)

    return bend


def _halted(bars: Bars, before: float) -> Bars:
    """Nobody trades for a tenth of the time; then it opens where it would have been."""
    still, rest = len(bars) // 10, len(bars) - len(bars) // 10
    kept = _standing(bars.take(slice(None, still)), before)
    later = bars.take(slice(-rest, None))
    columns = {
        name: np.concatenate([getattr(kept, name), getattr(later, name)]) for name in COLUMNS
    }
    return Bars(symbol=bars.symbol, time=bars.time, **columns)


def _traded(factor: float) -> Bend:
    """So many times the volume, at prices as they are."""

    def bend(bars: Bars, before: float) -> Bars:  # noqa: ARG001 - prices stay
        return replace(bars, volume=bars.volume * factor)

    return bend


def _crash(falls: tuple[float, ...], wild: float) -> Bend:
    """Bars that fall so far, in logarithms, and what follows is so many times as wild."""

    def bend(bars: Bars, before: float) -> Bars:
        moves = wild * _moves(bars, before)
        moves[: len(falls)] = -np.array(falls)
        return _stretched(bars, before, moves, wild)

    return bend


def _gap(share: float) -> Bend:
    """It opens that much higher, in logarithms, and goes on as it would have."""

    def bend(bars: Bars, before: float) -> Bars:  # noqa: ARG001 - prices go on from theirs
        return _from(bars, float(np.exp(share)))

    return bend


def _leap(share: float) -> Bend:
    """One bar moves that far, in logarithms, from its open to its close; nothing else changes."""

    def bend(bars: Bars, before: float) -> Bars:
        moved = _from(bars, float(np.exp(share)))
        first = {name: getattr(moved, name).copy() for name in PRICES}
        first["open"][0] = before
        ends = before, float(first["close"][0])
        first["high"][0], first["low"][0] = max(ends), min(ends)
        return replace(moved, **first)

    return bend


def _from(bars: Bars, factor: float) -> Bars:
    """Return bars at so many times their prices."""
    prices = {name: getattr(bars, name) * factor for name in PRICES}
    return Bars(symbol=bars.symbol, time=bars.time, volume=bars.volume, **prices)


def _jolt(bars: Bars, before: float) -> Bars:
    """One bar falls as far as twenty do, and what follows is five times as wild."""
    fall = 20.0 * max(float(np.std(_moves(bars, before))), 1e-6)
    return _crash((fall,), 5.0)(bars, before)


def _stretched(bars: Bars, before: float, moves: FloatArray, factor: float) -> Bars:
    """Bars with these moves from close to close, and a range as many times as wide."""
    moves = np.clip(moves, -0.5, 0.5)
    close = before * np.exp(np.cumsum(moves))
    opened = np.concatenate([[before], close[:-1]])
    top, bottom = np.maximum(bars.open, bars.close), np.minimum(bars.open, bars.close)
    above = np.minimum(factor * np.log(bars.high / top), 0.5)
    below = np.minimum(factor * np.log(bottom / bars.low), 0.5)
    return replace(
        bars,
        open=opened,
        close=close,
        high=np.maximum(opened, close) * np.exp(above),
        low=np.minimum(opened, close) * np.exp(-below),
        volume=bars.volume * np.sqrt(factor),
    )


def _moves(bars: Bars, before: float) -> FloatArray:
    moves: FloatArray = np.diff(np.log(np.concatenate([[before], bars.close])))
    return moves


SCENARIOS: dict[str, Bend] = {
    "standing": _standing,
    "thin": _thin,
    "sparse": _sparse,
    "rising": _rising,
    "falling": _falling,
    "halted": _halted,
    "quiet": _times(0.1),
    "lively": _times(3.0),
    "wild": _times(15.0),
    "idle": _traded(0.05),
    "busy": _traded(20.0),
    "jolt": _jolt,
    "crash": _crash((0.06,) * 5, 5.0),
    "squeeze": _crash((-0.06,) * 5, 5.0),
    "gap_down": _gap(-0.5),
    "gap_up": _gap(0.5),
    "fall": _leap(-0.5),
    "leap": _leap(0.5),
}


def stress(feature_set: FeatureSet[Any], bars: Sequence[Bars]) -> StressRows:
    """Compute the columns of every scenario, as far as they are finite there.

    Parameters
    ----------
    feature_set
        From `resolve_feature_set`.
    bars
        Of every symbol, checked; those with too few are left out.
    """
    needed = feature_set.memory + 1 + ROWS
    rows, names, ages = [], [], []
    for name, bend in SCENARIOS.items():
        for one in bars[:SYMBOLS]:
            for stop in _places(len(one), needed):
                real = one.take(slice(stop - needed, stop))
                bent = bend(real.take(slice(-ROWS, -AFTER)), float(real.close[-ROWS - 1]))
                after = _from(
                    real.take(slice(-AFTER, None)), bent.close[-1] / real.close[-AFTER - 1]
                )
                parts = real.take(slice(None, -ROWS)), bent, after
                piece = np.concatenate([bar_array(part) for part in parts])
                table = compute(feature_set, piece[None])[0][-ROWS:]
                age = np.flatnonzero(np.isfinite(table).all(axis=1))
                rows.append(table[age])
                names.append(np.full(len(age), name))
                ages.append(age)
    if not rows:
        none = np.zeros((0, len(feature_set.names)), np.float32)
        return StressRows(none, np.zeros(0, "U1"), np.zeros(0, np.int64))
    return StressRows(np.concatenate(rows), np.concatenate(names), np.concatenate(ages))


def _places(n: int, needed: int) -> list[int]:
    """Return where the stretches end: spread over the bars, none where there are too few."""
    if n < needed:
        return []
    ends: list[int] = np.unique(np.linspace(needed, n, PLACES + 1).round().astype(int)).tolist()
    return ends[1:] or ends
