"""No better than always stating the same: the model has learnt the average, nothing else."""

from __future__ import annotations

from plumbline.bundle.finding import Finding, Level
from plumbline.diagnosis.bootstrap import mean_interval
from plumbline.diagnosis.case import Case
from plumbline.diagnosis.ruling import Ruling

UNITS = {"choice": "nats of log-loss", "value": "of CRPS", "score": "of rank correlation"}
"""What the gain of a kind is counted in; of a kind from outside, nothing is said."""


def rule(case: Case) -> Ruling:
    """Hold when what is gained over the best constant is within noise of zero."""
    limits, gains, moments = case.thresholds, case.gains, case.gains_by_moment
    if gains is None or moments is None or len(gains) < limits.labelled_rows:
        return Ruling(False)
    gain, unit = float(gains.mean()), UNITS.get(case.head.spec.kind, "of its own measure")
    interval = mean_interval(moments, level=limits.skill_level)
    absent = interval is None or interval.low <= 0
    finding = Finding(
        name="skill",
        level=Level.FAIL if absent else Level.PASS,
        value=gain,
        threshold=0.0,
        interval=interval,
        n=len(gains),
        message=f"The output{case.of_output} gains {gain:+.3g} {unit} on the best constant.",
        output=case.named,
    )
    cause = (
        f"Within noise of the constant predictor: the output{case.of_output} gains {gain:+.3g} "
        + unit
        + ("" if interval is None else f" ({interval.low:+.3g} to {interval.high:+.3g})")
        + " on it. Change the target or the features; more training will not help."
    )
    return Ruling(absent, cause, (finding,))
