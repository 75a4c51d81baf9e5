"""Outputs that point where they should and move too far: a scale, or a temperature, was lost."""

from __future__ import annotations

from plumbline.bundle.finding import Finding, Level
from plumbline.diagnosis.case import Case
from plumbline.diagnosis.output_baseline import offset_size
from plumbline.diagnosis.ruling import Ruling


def rule(case: Case) -> Ruling:
    """Hold when one factor on all coordinates explains them, and leaves no offset."""
    steepness, gain = case.steepness, case.gain_ratio
    bound, residuals = case.offset_bound, case.residuals
    if not steepness or gain is None or bound is None or residuals is None:
        return Ruling(False)
    limits = case.thresholds
    said = case.coordinates[case.known].mean(axis=0)
    expected = said - residuals.mean(axis=0)
    left = offset_size(said / steepness - expected)
    undecided = case.top_low < limits.leaning_share
    steep = case.suspect and gain > limits.raised_gain
    holds = steep and undecided and case.aligned and left < bound
    finding = Finding(
        name="scale_ratio",
        level=Level.FAIL if holds else Level.WARN if steep else Level.PASS,
        value=min(steepness, 1e9),
        threshold=limits.raised_gain,
        n=case.n,
        message=f"The outputs{case.of_output} move {min(steepness, 1e9):.3g} times as far per unit "
        "of input movement as in the reference.",
        output=case.named,
    )
    cause = (
        f"The outputs{case.of_output} move {steepness:.1f} times as far as the reference's, in the "
        "same direction: a scale repairs them."
    )
    return Ruling(holds, cause, (finding,))
