"""Whether a model knows which way, asked apart from whether it knows how far.

Nearly all the skill on markets is in *when* they move. Who knows that gains on the best constant,
and a policy that bets on the way would bet on nothing. So the direction has rivals of its own: the
best constant, the clock, and a regression that sees how large each feature is and not its sign.
Where the model's direction cannot be shown to be better than each of them, it still tells when to
stand aside; its sizes are withheld by policy.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from plumbline.bundle.array import FloatArray
from plumbline.bundle.finding import Finding, Interval, Level
from plumbline.training.gate.clock import without_clock
from plumbline.training.gate.held import Held
from plumbline.training.gate.rival import Scale, clock_columns, fit_logistic, logistic
from plumbline.training.gate.statement import DIRECTION

NOT_SHOWN = "direction not shown"
NO_OUTCOMES = "no outcomes to show a direction on"
_LEAST_MOVES = 50
_SURELY_NOT = 1e-6


def direction(held: Held) -> tuple[str, tuple[Finding, ...]]:
    """Return why no sizes may be suggested, nothing if they may, and what was measured."""
    held_positions = held.context.outputs.decide(held.validation.readings, held.validation.group)
    bets = bool(held_positions.position.any())
    if not np.isfinite(held.truth).any():
        return (NO_OUTCOMES if bets else ""), ()
    if held.head.spec.kind == "score":
        return "", ()  # what it gains is direction and nothing else
    found = list(_of_choice(held) if held.head.spec.kind == "choice" else _of_value(held))
    shown = bool(found) and all(interval is not None and interval.low > 0 for *_, interval in found)
    findings = tuple(
        Finding(
            name=f"directional_gain_over_{rival}",
            level=Level.PASS if interval is not None and interval.low > 0 else Level.WARN,
            value=value,
            threshold=0.0,
            interval=interval,
            n=n,
            message=f"Which way the market goes, once it does: {value:+.3g} {unit} gained over "
            f"{_RIVALS[rival]}.",
        )
        for rival, unit, n, value, interval in found
    )
    return ("" if shown or not bets else NOT_SHOWN), findings


_RIVALS = {
    "constant": "always saying the same",
    "clock": "the hour and the day of the week",
    "volatility": "how large the features are",
}

_Found = tuple[str, str, int, float, Interval | None]


def _of_choice(held: Held) -> Iterator[_Found]:
    """Nats per moved row; of a choice without two sides, per row, long against the rest."""
    positions = np.asarray(held.head.spec.positions or (0.0,) * held.head.spec.width)
    centre = held.validation.readings[held.output].centre
    up, down = centre[:, positions > 0].sum(axis=1), centre[:, positions < 0].sum(axis=1)
    two_sided = bool((positions > 0).any() and (positions < 0).any())
    if not positions.any():
        return
    if not two_sided:
        positions = np.where(positions != 0, 1.0, -1.0)
        up = centre[:, positions > 0].sum(axis=1)
        down = 1 - up
    went = _went(held.truth, positions)
    moved = went != 0
    if moved.sum() < _LEAST_MOVES:
        return
    rose = went[moved] > 0
    own = _log_chance(up[moved] / np.maximum(up[moved] + down[moved], 1e-12), rose)
    share = np.full(int(moved.sum()), rose.mean())
    rivals = {"constant": share}
    if held.ground is not None and held.validation.features is not None:
        ground = held.ground
        old = _went(np.asarray(ground.truth[:, held.place], np.float64), positions)
        learn = old != 0
        sides = np.unique(old[learn])
        if learn.sum() >= _LEAST_MOVES and len(sides) == 2:
            places = (old[learn] > 0).astype(np.int64)
            scale = Scale(ground.features[learn])
            for name, here, there in (
                ("clock", clock_columns(ground.bar_time[learn]), clock_columns(held.moments)),
                (
                    "volatility",
                    np.abs(scale(ground.features[learn])),
                    np.abs(scale(held.validation.features)),
                ),
            ):
                weights = fit_logistic(here, places, 2)
                rivals[name] = logistic(there[moved], weights)[:, 1]
    for name, chance in rivals.items():
        gain = np.full(len(went), np.nan)
        gain[moved] = own - _log_chance(chance, rose)
        value, interval = held.mean(gain, held.thresholds.skill_level)
        yield name, "nats", int(moved.sum()), value, interval


def _of_value(held: Held) -> Iterator[_Found]:
    """Correlation of the mean with the truth, and of what either is beyond the clock."""
    said, true = held.said[DIRECTION], held.true[DIRECTION]
    pairs = {
        "constant": (said, true - np.nanmean(true)),
        "clock": (without_clock(held.moments, said), without_clock(held.moments, true)),
    }
    for name, (one, other) in pairs.items():
        size = float(np.nanstd(one) * np.nanstd(other))
        products = (one - np.nanmean(one)) * other / (size if size > 0 else 1.0)
        value, interval = held.mean(products, held.thresholds.skill_level)
        yield name, "(a correlation)", int(np.isfinite(products).sum()), value, interval


def _went(truth: FloatArray, positions: FloatArray) -> FloatArray:
    """Side of each truth, 0 where it is none or not known."""
    known = np.isfinite(truth)
    places = np.where(known, truth, 0).astype(np.int64)
    return np.where(known, np.sign(positions[places]), 0.0)


def _log_chance(up: FloatArray, rose: np.ndarray) -> FloatArray:
    found: FloatArray = np.log(np.clip(np.where(rose, up, 1 - up), _SURELY_NOT, 1.0))
    return found
