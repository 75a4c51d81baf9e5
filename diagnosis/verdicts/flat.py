"""Outputs that no longer depend on inputs."""

from __future__ import annotations

from plumbline.bundle.finding import Finding, Level
from plumbline.diagnosis.case import Case
from plumbline.diagnosis.ruling import Ruling


def rule(case: Case) -> Ruling:
    """Hold when outputs do not vary, or when the model is suspect and the gain is lost."""
    limits = case.thresholds
    spread = case.spread
    constant = case.suspect and spread is not None and spread < limits.flat_spread
    lost = case.suspect and case.gain_ratio is not None and case.gain_ratio < limits.lost_gain
    findings = (_spread(case, constant), _gain(case, lost))
    if constant:
        cause = (
            f"The outputs{case.of_output} do not vary: their standard deviation over {case.n} "
            f"rows is {spread:.1e}, below {limits.flat_spread:g}."
        )
    else:
        cause = (
            f"The outputs{case.of_output} have stopped following the inputs: a movement of the "
            f"input moves them {case.gain_ratio or 0.0:.1%} as far as in the reference's least "
            "responsive window."
        )
    enough = case.n >= limits.min_rows
    return Ruling(enough and (constant or lost), cause, findings)


def _spread(case: Case, constant: bool) -> Finding:
    limits, spread = case.thresholds, case.spread
    level = Level.PASS
    if spread is None or case.n < limits.min_rows:
        level = Level.INSUFFICIENT
    elif constant:
        level = Level.FAIL
    elif spread < limits.thin_spread:
        level = Level.WARN
    return Finding(
        name="output_spread",
        level=level,
        value=spread,
        threshold=limits.flat_spread,
        n=case.n,
        message="The standard deviation is undefined for fewer than two rows."
        if spread is None
        else f"The most variable output has standard deviation {spread:.2g}.",
        output=case.named,
    )


def _gain(case: Case, lost: bool) -> Finding:
    ratio = case.gain_ratio
    return Finding(
        name="gain_ratio",
        level=Level.INSUFFICIENT if ratio is None else Level.FAIL if lost else Level.PASS,
        value=None if ratio is None else min(ratio, 1e9),
        threshold=case.thresholds.lost_gain,
        n=case.n,
        message="The gain is undefined without a reference or without moving inputs."
        if ratio is None
        else f"Outputs move {min(ratio, 1e9):.3g} times as far per unit of input movement as the "
        "nearest window of the reference.",
        output=case.named,
    )
