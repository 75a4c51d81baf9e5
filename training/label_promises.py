"""The promises of a label, each checked on the bars of every training.

A label is the only place that may look ahead, and nothing that is measured later can tell one that
looks at the wrong rows from one that is merely hard: a model learns it and has skill on it. So it
is checked by arithmetic. Bars beyond the horizon are changed, and no truth may move; the last bar
inside it is changed, and some truth must; what it calls the forward return is computed again; and
a truth with sides must lie on the side to which the price went.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from plumbline.bundle.array import FloatArray
from plumbline.training.bars import COLUMNS, MICROSECOND, Bars
from plumbline.training.errors import DataError
from plumbline.training.labels import Label
from plumbline.training.labels.base import Truth, forward_returns

_SYMBOLS = 3
"""Symbols that are checked; a label does not know which it is given."""
_BORDERS = (0.3, 0.5, 0.7, 0.9)
_JUMPS = (1.5, 1 / 1.5)
_ON_ITS_SIDE = 0.2
"""Least correlation of a truth's position with the return that came."""
_LEAST = 100


def check_label(label: Label[Any], bars: Sequence[Bars]) -> None:
    """Hold a label to what it promises, on the bars it will be used on.

    Raises
    ------
    DataError
        With the first promise that is broken: what was expected, and what came.
    """
    for one in bars[:_SYMBOLS]:
        truth = label.build(one)
        _check_same(label, one, truth)
        if label.unit == "row":
            _check_horizon(label, one, truth)
            _check_return(label, one, truth)
        _check_reach(label, one, truth)
        _check_side(label, one, truth)


def _check_same(label: Label[Any], bars: Bars, truth: Truth) -> None:
    again = label.build(bars)
    if not np.array_equal(again.values, truth.values, equal_nan=True):
        apart = int((again.values != truth.values).any(axis=1).sum())
        raise DataError(
            f"{_named(label, bars)} is another one when it is built again from the same bars, in "
            f"{apart} rows: a label may not depend on chance"
        )


def _check_horizon(label: Label[Any], bars: Bars, truth: Truth) -> None:
    known = np.isfinite(truth.values).any(axis=1)
    if not known.any():
        return
    longest = int((truth.known_at - bars.time)[known].max())
    if longest != label.horizon:
        raise DataError(
            f"{_named(label, bars)} is known {longest // MICROSECOND} s after its bar at the "
            f"latest, and its outputs say a horizon of {label.horizon // MICROSECOND} s: one of "
            "the two is wrong, and the split would leave the wrong rows out"
        )


def _check_return(label: Label[Any], bars: Bars, truth: Truth) -> None:
    horizon = label.outputs[0].horizon_seconds * MICROSECOND
    came, known = forward_returns(bars, horizon)
    both = known & np.isfinite(truth.forward_return)
    wrong = both & ~np.isclose(truth.forward_return, came, rtol=1e-6, atol=1e-12)
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(
            f"{_named(label, bars)} says of {bars.place(row)} that the price moved by "
            f"{truth.forward_return[row]:+.4%}; its bars say {came[row]:+.4%} over "
            f"{horizon // MICROSECOND} s, and so of {int(wrong.sum())} rows: its truths belong to "
            "other rows"
        )


def _check_reach(label: Label[Any], bars: Bars, truth: Truth) -> None:
    """Change the future at some bars: what lies beyond the horizon is nobody's truth."""
    moved = reached = 0
    for share in _BORDERS:
        border = int(share * len(bars))
        before = truth.known_at < bars.time[border]
        last = (truth.known_at == bars.time[border]) & np.isfinite(truth.values).any(axis=1)
        reached += int(last.sum())
        for jump in _JUMPS:
            other = label.build(_jumped(bars, border, jump)).values
            apart = ~np.isclose(other, truth.values, rtol=1e-9, atol=1e-12, equal_nan=True)
            if apart[before].any():
                row = int(np.flatnonzero(before)[apart[before].any(axis=1).argmax()])
                raise DataError(
                    f"{_named(label, bars)} of {bars.place(row)} changes with bars from "
                    f"{bars.place(border)} on, after it is said to be known: it looks further "
                    "ahead than its horizon, so that labels reach into the next part"
                )
            moved += int(apart[last].any())
    if reached and not moved:
        raise DataError(
            f"{_named(label, bars)} never changes with the last bar of its horizon: it does not "
            "look as far ahead as it says, or its truths stand too late"
        )


def _check_side(label: Label[Any], bars: Bars, truth: Truth) -> None:
    spec = label.outputs[0]
    positions = np.asarray(spec.positions or (0.0,))
    known = np.isfinite(truth.values[:, 0]) & np.isfinite(truth.forward_return)
    if spec.kind != "choice" or known.sum() < _LEAST:
        return
    if not ((positions > 0).any() and (positions < 0).any()):
        return
    held = positions[truth.values[known, 0].astype(np.int64)]
    agreed = _agreement(held, truth.forward_return[known])
    if agreed is not None and agreed < _ON_ITS_SIDE:
        raise DataError(
            f"{_named(label, bars)} does not lie on the side to which the price goes: positions "
            f"of its truths and returns over the horizon correlate by {agreed:+.2f}, expected "
            f"{_ON_ITS_SIDE} or more: look for exchanged names, a wrong sign, or shifted rows"
        )


def _agreement(held: FloatArray, came: FloatArray) -> float | None:
    if held.std() == 0 or came.std() == 0:
        return None
    limit = 4 * float(came.std())
    return float(np.corrcoef(held, np.clip(came, -limit, limit))[0, 1])


def _jumped(bars: Bars, border: int, jump: float) -> Bars:
    """Return bars whose prices are another level from a bar on, and whose volume is, too."""
    factor = np.where(np.arange(len(bars)) >= border, jump, 1.0)
    return replace(bars, **{name: getattr(bars, name) * factor for name in COLUMNS})


def _named(label: Label[Any], bars: Bars) -> str:
    return f"{bars.symbol}: the label {type(label).__name__}"
