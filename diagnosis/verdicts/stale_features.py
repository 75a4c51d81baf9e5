"""Some columns stand still while the rest of the input moves."""

from __future__ import annotations

import numpy as np

from plumbline.bundle.finding import Finding, Level, Verdict
from plumbline.diagnosis.case import Case
from plumbline.diagnosis.column import repeat_share
from plumbline.diagnosis.ruling import Ruling

MIN_MOVES = 30


def rule(case: Case) -> Ruling:
    """Hold when columns keep their value though in the reference they change."""
    names = case.accused_columns(Verdict.STALE_FEATURES)
    names += tuple(name for name in _still(case) if name not in names)
    finding = Finding(
        name="stale_columns",
        level=Level.FAIL if names else Level.PASS,
        value=float(len(names)),
        threshold=0.0,
        n=case.n,
        message=f"{len(names)} columns keep their value though in the reference they change."
        if names
        else "Every column that changes in the reference changes here.",
        columns=names,
    )
    cause = (
        f"{len(names)} features are stale or imputed by a constant: {', '.join(names[:12])}. "
        "The others move."
    )
    return Ruling(bool(names), cause, (finding,))


def _still(case: Case) -> tuple[str, ...]:
    features, moves = case.sample.features, case.movement
    if not case.alone or features is None or moves is None or case.envelope is None:
        return ()
    if moves.moved.sum() < MIN_MOVES:
        return ()
    limit = case.thresholds.stale_share
    still = repeat_share(features, np.where(moves.moved, case.previous, -1))
    usual = np.maximum(case.envelope.repeat, case.excused.mean(axis=0))
    stale = (still >= limit) & (still > usual + (1 - usual) / 2)
    return tuple(case.context.features[j] for j in np.flatnonzero(stale))
