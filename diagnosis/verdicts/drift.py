"""The inputs are elsewhere than in the reference; the model still responds to them."""

from __future__ import annotations

import numpy as np

from plumbline.bundle.finding import Finding, Level
from plumbline.diagnosis.case import Case
from plumbline.diagnosis.ruling import Ruling

SLACK = 2.0  # beyond the reference's widest window, which no other window of it exceeded


def rule(case: Case) -> Ruling:
    """Hold when most columns are distributed as in no window of the reference."""
    limits, baseline, envelope = case.thresholds, case.baseline, case.envelope
    features = case.sample.features
    if baseline is None or envelope is None or features is None or case.n < limits.drift_rows:
        return Ruling(False)
    found = baseline.column_psi(features)
    bound = np.maximum(SLACK * envelope.psi, limits.drift_psi)
    moved = found > bound
    names = tuple(case.context.features[j] for j in np.flatnonzero(moved))
    share = len(names) / len(moved)
    holds = share >= limits.drift_columns
    finding = Finding(
        name="drifted_columns_share",
        level=Level.FAIL if holds else Level.WARN if names else Level.PASS,
        value=share,
        threshold=limits.drift_columns,
        n=case.n,
        message=f"{len(names)} of {len(moved)} columns are distributed as in no window of the "
        f"reference; their median stability index is {float(np.median(found)):.2f}.",
        columns=names,
    )
    cause = (
        f"The inputs have drifted: {len(names)} of {len(moved)} columns are distributed as nowhere "
        "in the reference. The model still responds to them."
    )
    return Ruling(holds, cause, (finding,))
