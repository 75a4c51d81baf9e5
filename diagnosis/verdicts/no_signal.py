"""No better than always stating the class shares: the model has learnt the prior, nothing else."""

from __future__ import annotations

from plumbline.bundle.finding import Finding, Level
from plumbline.diagnosis.bootstrap import mean_interval
from plumbline.diagnosis.case import Case
from plumbline.diagnosis.ruling import Ruling


def rule(case: Case) -> Ruling:
    """Hold when the log-loss gained over the constant predictor is within noise of zero."""
    limits, measured = case.thresholds, case.skill
    if measured is None or measured.n < limits.labelled_rows:
        return Ruling(False)
    gain = float(measured.gain.mean())
    interval = mean_interval(measured.gain, level=limits.skill_level)
    absent = interval is None or interval.low <= 0
    finding = Finding(
        name="log_loss_skill",
        level=Level.FAIL if absent else Level.PASS,
        value=gain,
        threshold=0.0,
        interval=interval,
        n=measured.n,
        message=f"The log-loss is {gain:+.4f} nats better than that of the label shares alone.",
    )
    cause = (
        f"Within noise of the constant predictor: the log-loss gains {gain:+.4f} nats on it"
        + ("" if interval is None else f" ({interval.low:+.4f} to {interval.high:+.4f})")
        + ". Change the target or the features; more training will not help."
    )
    return Ruling(absent, cause, (finding,))
