"""Too few rows to say anything: the standard deviation of one prediction is undefined, not zero."""

from __future__ import annotations

from plumbline.bundle.finding import Finding, Level
from plumbline.diagnosis.case import Case
from plumbline.diagnosis.ruling import Ruling


def rule(case: Case) -> Ruling:
    """Hold below the minimum, or when one action leads so far that more rows must tell."""
    limits = case.thresholds
    few = case.n < limits.min_rows
    undecided = (
        not case.evidence
        and case.n < limits.share_rows
        and (case.agreed is not False or case.n < limits.accused_rows)
        and case.top is not None
        and case.top[1] >= limits.dominant_share
        and (case.spread or 0.0) >= limits.flat_spread
    )
    needed = limits.share_rows if undecided and not few else limits.min_rows
    finding = Finding(
        name="rows",
        level=Level.INSUFFICIENT if few or undecided else Level.PASS,
        value=float(case.n),
        threshold=float(needed),
        n=case.n,
        message=f"{case.n} rows, {needed} needed.",
    )
    cause = (
        f"{case.n} rows are too few, {needed} are needed."
        if few
        else f"{case.top_name} holds all but a few of {case.n} rows; "
        f"{needed} are needed to tell a habit from a coincidence."
    )
    return Ruling(few or undecided, cause, (finding,))
