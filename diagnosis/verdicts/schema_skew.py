"""Columns that are missing, zero, rescaled, shifted, or another column than in training."""

from __future__ import annotations

import numpy as np

from bundle.finding import Finding, Level
from diagnosis.case import Case
from diagnosis.column import repeat_share, zero_share
from diagnosis.ruling import Ruling

MIN_ROWS = 5
RELATION_ROWS = 60
SLOPE = 0.25  # how far beyond the reference's widest window a slope must be, at least
SHIFT = 0.75  # the same for a level
OUTSIDE = 0.3  # the same for the share of rows outside the reference's range
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
    alarm = case.alarm("zero_padded")
    if features is None or case.n < MIN_ROWS:
        names = alarm.columns if alarm is not None else ()
    else:
        usual = 0.0 if case.baseline is None else case.baseline.zero
        limit = case.thresholds.stale_share
        always = (zero_share(features) >= limit) & (usual < limit / 2)
        if case.baseline is None and case.movement is not None and not case.movement.moved.any():
            always[:] = False
        names = tuple(case.context.features[j] for j in np.flatnonzero(always))
        if alarm is not None:
            names = alarm.columns + tuple(name for name in names if name not in alarm.columns)
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


def _foreign(case: Case) -> Finding:
    """Columns whose relation to the others, or whose range, is none the reference ever showed."""
    features, baseline, envelope = case.sample.features, case.baseline, case.envelope
    if features is None or baseline is None or envelope is None or case.n < RELATION_ROWS:
        return Finding(
            name="foreign_columns",
            level=Level.INSUFFICIENT,
            value=None,
            n=case.n,
            message=f"The relation of columns is judged from {RELATION_ROWS} rows on.",
        )
    found = baseline.columns.relate(features)
    moving = repeat_share(features, case.previous) < case.thresholds.stale_share
    related = baseline.columns.related & moving
    room = np.maximum(envelope.slope_high - envelope.slope_low, SLOPE)
    broken = related & (
        (found.slope > envelope.slope_high + room) | (found.slope < envelope.slope_low - room)
    )
    slack = case.thresholds.envelope_slack
    outside = moving & (found.outside > envelope.outside + OUTSIDE)
    shifted = moving & (np.abs(found.level) > slack * envelope.level + SHIFT)
    wrong = broken | outside | shifted
    names = tuple(case.context.features[j] for j in np.flatnonzero(wrong))
    most = len(case.context.features) / 2
    # A market moves many columns at once, but leaves their relations and does not leave all ranges.
    impossible = broken.sum() > related.sum() / 2 or (found.outside > FAR_OUTSIDE).sum() > most
    fails = bool(names) and (len(names) <= most or bool(impossible))
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


def _listed(names: tuple[str, ...], most: int = 12) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
