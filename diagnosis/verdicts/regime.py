"""One action holds nearly all rows, and for these inputs the reference model would say the same."""

from __future__ import annotations

from plumbline.diagnosis.case import Case
from plumbline.diagnosis.ruling import Ruling


def rule(case: Case) -> Ruling:
    """Hold when the share is beyond the threshold and the market explains it."""
    limits = case.thresholds
    dominant = case.top_low >= limits.dominant_share and case.n >= limits.share_rows
    why = (
        "the reference model says the same for these inputs"
        if case.agreed
        else "the version says just this of these inputs, and of the reference's what it always did"
    )
    cause = f"{case.top_name} holds nearly all of {case.n} rows, and {why}: it is the market."
    return Ruling(dominant and case.explained, cause)
