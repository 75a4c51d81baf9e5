"""The same input again and again: nothing can be said of the model."""

from __future__ import annotations

from plumbline.bundle.finding import Finding, Level, Verdict
from plumbline.diagnosis.case import Case
from plumbline.diagnosis.ruling import Ruling
from plumbline.diagnosis.wilson import wilson

MIN_STEPS = 10


def rule(case: Case) -> Ruling:
    """Hold when most steps do not move the input; or some, once a detector has alarmed."""
    if case.repeated is None:
        return Ruling(False)
    count, steps = case.repeated
    interval = wilson(count, steps)
    limit = case.thresholds.repeated_share
    many = steps >= MIN_STEPS and interval is not None and interval.low > limit
    frozen = (many and case.alone) or (count > 0 and bool(case.alarms(Verdict.FROZEN_FEED)))
    finding = Finding(
        name="repeated_input_share",
        level=Level.FAIL if frozen else Level.PASS if steps >= MIN_STEPS else Level.INSUFFICIENT,
        value=count / steps if steps else None,
        threshold=limit,
        interval=interval,
        n=steps,
        message=f"{count} of {steps} inputs are identical to the one before.",
    )
    cause = f"The feed is frozen: {count} of the last {steps} inputs repeat the one before them."
    return Ruling(frozen, cause, (finding,))
