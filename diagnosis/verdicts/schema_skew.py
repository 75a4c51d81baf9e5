"""Columns that are missing, zero, rescaled, shifted, or another column than in training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plumbline.bundle.array import BoolArray, FloatArray
from plumbline.bundle.finding import Finding, Level, Verdict
from plumbline.diagnosis.baseline import Baseline, InputEnvelope
from plumbline.diagnosis.case import Case
from plumbline.diagnosis.column import Relation, repeat_share, zero_share
from plumbline.diagnosis.ruling import Ruling
from plumbline.diagnosis.stress import Hull
from plumbline.diagnosis.thresholds import Thresholds

MIN_ROWS = 5
RELATION_ROWS = 60
APART = 30  # between the ends of two stretches soon after an alarm
SLOPE = 0.25  # how far beyond the reference's widest window a slope must be, at least
SHIFT = 0.75  # the same for a level
OUTSIDE = 0.3  # the same for the share of rows outside the reference's range
LARGER = 2.0  # times as far from the mean as a market under stress takes a column
NO_LARGER = 1.5  # the same, to be known by sight
SEVERAL = 3  # columns that far out are in no market
FAR_OUTSIDE = 0.6  # of rows, in most columns at once: no market does that


def rule(case: Case) -> Ruling:
    """Hold when some columns are not what they were while the others are."""
    if case.sample.features is None or case.n == 0:
        return Ruling(False)
    zeros, foreign = _zeros(case), _foreign(case)
    found = zeros.columns + tuple(name for name in foreign.columns if name not in zeros.columns)
    holds = Level.FAIL in (zeros.level, foreign.level)
    if zeros.level is Level.FAIL:
        what = "are zero, which they are not in the reference"
        names = zeros.columns
    else:
        what = "do not relate to the others as in the reference: rescaled, shifted or permuted"
        names = foreign.columns
    cause = f"The client sends {len(found)} columns wrong: {_listed(names)} {what}."
    return Ruling(holds, cause, (zeros, foreign))


def _zeros(case: Case) -> Finding:
    """Columns that are zero in nearly all rows though in the reference they are not."""
    features = case.sample.features
    names = _accused_and_zero(case)
    if features is not None and case.n >= MIN_ROWS and case.alone:
        usual = 0.0 if case.baseline is None else case.baseline.zero
        limit = case.thresholds.stale_share
        zero = zero_share(np.where(case.excused, np.nan, features))
        always = (zero >= limit) & (usual < limit / 2)
        if case.baseline is None and case.movement is not None and not case.movement.moved.any():
            always[:] = False
        found = (case.context.features[j] for j in np.flatnonzero(always))
        names += tuple(name for name in found if name not in names)
    return Finding(
        name="zero_columns",
        level=Level.FAIL if names else Level.PASS,
        value=float(len(names)),
        threshold=0.0,
        n=case.n,
        message=f"{len(names)} columns are zero that are not zero in the reference."
        if names
        else "No column is zero that is not zero in the reference.",
        columns=names,
    )


def _accused_and_zero(case: Case) -> tuple[str, ...]:
    """Columns that a detector objects to and that are zero in the newest row."""
    if case.sample.features is None:
        return ()
    newest = dict(zip(case.context.features, case.sample.features[-1].tolist(), strict=True))
    accused = case.accused_columns(Verdict.SCHEMA_SKEW)
    return tuple(name for name in accused if newest.get(name) == 0.0)


def _foreign(case: Case) -> Finding:
    """Columns whose relation to the others, or whose range, is none the reference ever showed."""
    features, baseline, windows = case.sample.features, case.baseline, _windows(case)
    if features is None or baseline is None or not windows:
        return Finding(
            name="foreign_columns",
            level=Level.INSUFFICIENT,
            value=None,
            n=case.n,
            message="The relation of columns is judged against a reference, and from "
            f"{2 * RELATION_ROWS} rows on.",
        )
    moving = repeat_share(features, case.previous) < case.thresholds.stale_share
    judged = [
        _judge(features[rows], case.bars(rows), baseline, moving, case.thresholds)
        for rows in windows
    ]
    wrong = np.logical_and.reduce([each.wrong for each in judged])
    names = tuple(case.context.features[j] for j in np.flatnonzero(wrong))
    few = len(names) <= len(case.context.features) / 2
    fails = case.doubted and bool(names) and (few or all(each.impossible for each in judged))
    return Finding(
        name="foreign_columns",
        level=Level.FAIL if fails else Level.WARN if names else Level.PASS,
        value=float(len(names)),
        threshold=0.0,
        n=case.n,
        message=f"{len(names)} columns are not what they were in the reference."
        if names
        else "All columns relate to each other as in the reference.",
        columns=names,
    )


def _windows(case: Case) -> list[slice]:
    """Return the stretches of rows in each of which a column must be wrong.

    Of a sample: its two halves. Of a stream: the last two stretches, since what came before may
    have been sound; soon after an alarm they overlap by half.
    """
    n = case.n
    if n >= 2 * RELATION_ROWS:
        length = RELATION_ROWS if case.evidence else n // 2
        return [slice(n - 2 * length, n - length), slice(n - length, n)]
    if case.doubted and not case.alone and n >= RELATION_ROWS + APART:
        return [slice(n - APART - RELATION_ROWS, n - APART), slice(n - RELATION_ROWS, n)]
    return []


@dataclass(frozen=True)
class _Judged:
    """Which columns are wrong in one window, and whether no market could do that to them."""

    wrong: BoolArray
    impossible: bool


def _judge(
    features: FloatArray, bars: int, baseline: Baseline, moving: BoolArray, limits: Thresholds
) -> _Judged:
    envelope = baseline.envelope(len(features))
    found = baseline.columns.relate(features)
    related = baseline.columns.related & moving
    room = np.maximum(envelope.slope_high - envelope.slope_low, SLOPE)
    broken = related & (
        (found.slope > envelope.slope_high + room) | (found.slope < envelope.slope_low - room)
    )
    outside = moving & (found.outside > envelope.outside + OUTSIDE)
    shifted = moving & (np.abs(found.level) > limits.envelope_slack * envelope.level + SHIFT)
    wrong = (broken | outside | shifted) & ~baseline.clock
    if not wrong.any():
        return _Judged(wrong=wrong, impossible=False)
    hulls = baseline.stress.hulls(baseline.columns, bars)
    if any(_known_by_sight(found, wrong, hull, envelope, room) for hull in hulls):
        wrong[:] = False
    # A market moves many columns at once, but keeps their relations and most ranges.
    far = (found.outside > FAR_OUTSIDE).sum() > len(moving) / 2
    beyond = [found.size > LARGER * np.maximum(hull.size, 1.0) for hull in hulls]
    nowhere = bool(beyond) and np.logical_and.reduce(beyond).sum() >= SEVERAL
    return _Judged(
        wrong=wrong,
        impossible=bool(broken.sum() > related.sum() / 4 or far or nowhere),
    )


def _known_by_sight(
    found: Relation, wrong: BoolArray, hull: Hull, envelope: InputEnvelope, room: FloatArray
) -> bool:
    """Whether this market under stress takes every wrong column just there."""
    return bool(
        (
            (found.slope <= np.maximum(hull.slope_high, envelope.slope_high) + room)
            & (found.slope >= np.minimum(hull.slope_low, envelope.slope_low) - room)
            & (found.level <= np.maximum(hull.level_high, envelope.level) + SHIFT)
            & (found.level >= np.minimum(hull.level_low, -envelope.level) - SHIFT)
            & (found.outside <= np.maximum(hull.outside, envelope.outside) + OUTSIDE)
            & (found.size <= NO_LARGER * np.maximum(hull.size, 1.0))
        )[wrong].all()
    )


def _listed(names: tuple[str, ...], most: int = 12) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
