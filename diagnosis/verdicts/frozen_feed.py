"""The same input again and again: nothing can be said of the model."""

from __future__ import annotations

from plumbline.bundle.finding import Finding, Level
from plumbline.diagnosis.case import Case
from plumbline.diagnosis.ruling import Ruling
from plumbline.diagnosis.wilson import wilson

MIN_STEPS = 10


def rule(case: Case) -> Ruling:
    """Hold when the detector of repeated windows alarmed, or most steps do not move the input."""
    if case.repeated is None:
        alarm = case.alarm("frozen")
        return Ruling(alarm is not None, "The input does not move: the feed is frozen.")
    count, steps = case.repeated
    interval = wilson(count, steps)
    limit = case.thresholds.repeated_share
    many = steps >= MIN_STEPS and interval is not None and interval.low > limit
    frozen = many or case.alarm("frozen") is not None
    finding = Finding(
        name="repeated_input_share",
        level=Level.FAIL if frozen else Level.PASS if steps >= MIN_STEPS else Level.INSUFFICIENT,
        value=count / steps if steps else None,
        threshold=limit,
        interval=interval,
        n=steps,
        message=f"{count} of {steps} inputs are identical to the one before.",
    )
    how = f"{count} of the last {steps} inputs repeat the one before them"
    if not count:
        how = f"the last {steps} inputs hardly differ from the one before them"
    cause = f"The feed is frozen: {how}."
    return Ruling(frozen, cause, (finding,))
