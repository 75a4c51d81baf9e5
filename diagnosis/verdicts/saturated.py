"""Softmax pinned at one: certain of the same answer whatever the input."""

from __future__ import annotations

from plumbline.bundle.finding import Finding, Level
from plumbline.diagnosis.case import Case
from plumbline.diagnosis.ruling import Ruling
from plumbline.diagnosis.wilson import wilson


def rule(case: Case) -> Ruling:
    """Hold when nearly every row is certain and nearly every row says the same."""
    limits = case.thresholds
    confidence = case.confidence
    if case.n == 0 or confidence is None:
        return Ruling(False)
    pinned = int((confidence > limits.pinned_confidence).sum())
    interval = wilson(pinned, case.n)
    certain = pinned / case.n >= limits.pinned_share and case.n >= limits.min_rows
    dominant = case.suspect and case.top_low >= limits.leaning_share
    finding = Finding(
        name="pinned_share",
        level=Level.FAIL
        if certain and dominant
        else Level.WARN
        if certain or (dominant and confidence.mean() > limits.pinned_share)
        else Level.PASS,
        value=pinned / case.n,
        threshold=limits.pinned_share,
        interval=interval,
        n=case.n,
        message=f"{pinned} of {case.n} rows have a confidence above {limits.pinned_confidence:g}; "
        f"the mean confidence is {confidence.mean():.3f}.",
        output=case.named,
    )
    cause = (
        f"The softmax is pinned: {pinned} of {case.n} rows are more than "
        f"{limits.pinned_confidence:.1%} certain, and {case.top_name} holds nearly all of them."
    )
    return Ruling(certain and dominant, cause, (finding,))
