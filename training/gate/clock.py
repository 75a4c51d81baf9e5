"""Whether a model knows more than what time it is.

Markets move more at some hours than at others, and a table of hours and weekdays gains on the best
constant without looking at a single price. What a model says is therefore held against what it says
at the same moment of other weeks: that difference is all it owes to the market, and *that* must
agree with what came true. A model that only reads the clock has no such difference, however the
clock reached it.
"""

from __future__ import annotations

import numpy as np

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.finding import Finding, Level
from plumbline.diagnosis.ruling import Ruling
from plumbline.training.gate.held import Held

WEEK, DAY = 604_800_000_000, 86_400_000_000
LEAST_ROUNDS = 4
"""Weeks, or days where there are fewer weeks, that must have been seen to know a clock."""
LEFT = 0.02
"""Share of what is said that must not follow from the clock."""


def beyond_clock(held: Held) -> Ruling:
    """Hold when what is said beyond the clock says nothing of the truth."""
    if not held.enough or held.validation.bar_time is None:
        return Ruling(False)
    asked = held.moments
    every = asked
    if held.ground is not None:
        asked = np.concatenate([held.moments, held.ground.bar_time[held.ground.asked]])
        every = np.concatenate([held.moments, held.ground.bar_time])
    n, shown, left, findings = len(held.moments), False, 0.0, []
    names = [name for name in held.said if name in held.true]
    level = 1 - (1 - held.thresholds.skill_level) / max(1, len(names))
    for name in names:
        said = np.concatenate([held.said[name], held.ground_said.get(name, np.empty(0))])
        true = np.concatenate([held.true[name], held.ground_true.get(name, np.empty(0))])
        own = _about_its_mean(without_clock(asked, said)[:n])
        came = _about_its_mean(without_clock(every, true)[:n])
        variance = float(np.nanvar(held.said[name]))
        share = float(np.nanvar(own)) / variance if variance > 0 else 0.0
        size = float(np.nanstd(own) * np.nanstd(came))
        if size <= 0:
            continue
        value, interval = held.mean(own * came / size, level)
        good = share > LEFT and interval is not None and interval.low > 0
        shown, left = shown or good, max(left, share)
        findings.append(
            Finding(
                name="skill_beyond_clock",
                level=Level.PASS if good else Level.WARN,
                value=value,
                threshold=0.0,
                interval=interval,
                n=int(np.isfinite(came).sum()),
                message=f"Without what the time of the week tells, the {name} it states agrees "
                f"with the truth by {value:+.3f} (a correlation); {share:.0%} of what it states "
                "does not follow from the time.",
                output=held.output if len(held.context.outputs.specs) > 1 else "",
            )
        )
    cause = (
        "It reads the clock: what it says at the same time of other weeks explains all the skill "
        + (
            "that can be shown"
            if left > LEFT
            else "there is, since it always says the same at the same time"
        )
        + ". Give it features that look at the market, or a target that they can tell."
    )
    return Ruling(not shown, cause, tuple(findings))


def _about_its_mean(values: FloatArray) -> FloatArray:
    """Return values less their mean: a level of the whole stretch is one observation, no skill."""
    known = np.isfinite(values)
    return values - values[known].mean() if known.any() else values


def without_clock(time: IntArray, values: FloatArray) -> FloatArray:
    """Return values ``(n,)`` less their mean at the same phase of the week; NaN where that is none.

    Of fewer than four weeks the phase of the day is taken, of fewer than four days nothing but the
    mean of all.
    """
    found = np.full(len(values), np.nan)
    known = np.isfinite(values)
    if not known.any():
        return found
    phase = _phase(time[known])
    _, cell, counts = np.unique(phase, return_inverse=True, return_counts=True)
    means = np.bincount(cell, values[known]) / counts
    found[known] = np.where(counts[cell] > 1, values[known] - means[cell], np.nan)
    return found


def _phase(time: IntArray) -> IntArray:
    for turn in (WEEK, DAY):
        if len(np.unique(time // turn)) >= LEAST_ROUNDS:
            phase: IntArray = time % turn
            return phase
    return np.zeros_like(time)
