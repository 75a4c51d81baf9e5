"""Whether rows a model is judged by are among those that taught it."""

from __future__ import annotations

import numpy as np

from plumbline.bundle.array import BoolArray, FloatArray
from plumbline.bundle.finding import Finding, Level
from plumbline.diagnosis.ruling import Ruling
from plumbline.training.gate.held import Held

ALLOWED = 0.02
"""Share of the judged rows that may have a twin among those that taught."""
_TELLING = 4
"""Columns that rows need, for equal ones to be the same row and no chance."""
_DISTINCT = 0.9


def overlaps(held: Held) -> Ruling:
    """Hold when validation rows, or rows whose outcomes overlap with theirs, taught the weights."""
    ground = held.ground
    if ground is None:
        return Ruling(False)
    findings = []
    if ground.taught.any() and held.validation.bar_time is not None:
        ahead = held.head.spec.horizon_seconds * 1_000_000
        late = ground.bar_time[ground.taught] + ahead > held.moments.min()
        share = float(late.mean())
        findings.append(
            Finding(
                name="taught_too_late",
                level=Level.FAIL if late.any() else Level.PASS,
                value=share,
                threshold=0.0,
                n=len(late),
                message=f"{int(late.sum())} of {len(late)} rows that taught the weights had their "
                "outcome after the first validation row.",
            )
        )
        if late.any():
            return Ruling(
                True,
                f"{int(late.sum())} rows that taught the weights lie among those it is judged by, "
                "or their outcomes do: split by time, a horizon apart.",
                tuple(findings),
            )
    if held.validation.features is None:
        return Ruling(False, "", tuple(findings))
    twins = _twins(np.asarray(ground.features), np.asarray(held.validation.features))
    if twins is None:
        return Ruling(False, "", tuple(findings))
    share = float(twins.mean())
    findings.append(
        Finding(
            name="twins_among_taught",
            level=Level.FAIL if share > ALLOWED else Level.PASS,
            value=share,
            threshold=ALLOWED,
            n=len(twins),
            message=f"{share:.1%} of the validation rows have the very same features as an older "
            "row.",
        )
    )
    return Ruling(
        share > ALLOWED,
        f"{share:.1%} of the validation rows are older rows once more: look for bars that are "
        "twice in the file, or the same bars under two names.",
        tuple(findings),
    )


def _twins(old: FloatArray, new: FloatArray) -> BoolArray | None:
    """Tell which new rows are also old ones; None where rows are too alike for that to tell."""
    if old.shape[1] < _TELLING or not len(old) or not len(new):
        return None
    old_keys, new_keys = _keys(old), _keys(new)
    if len(np.unique(old_keys)) < _DISTINCT * len(old_keys):
        return None
    found: BoolArray = np.isin(new_keys, old_keys)
    return found


def _keys(rows: FloatArray) -> np.ndarray:
    packed = np.ascontiguousarray(rows, np.float32)
    return packed.view(np.dtype((np.void, packed.dtype.itemsize * packed.shape[1]))).ravel()
