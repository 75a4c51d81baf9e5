"""From rows to one verdict: every rule is heard, the first that holds decides."""

from __future__ import annotations

from collections.abc import Sequence

from plumbline.bundle.finding import REMEDIES, Diagnosis, Finding, Verdict
from plumbline.diagnosis.case import Case
from plumbline.diagnosis.evidence import Evidence
from plumbline.diagnosis.sample import Context, Sample
from plumbline.diagnosis.thresholds import Thresholds
from plumbline.diagnosis.verdicts import VERDICTS

_DEFAULT = Thresholds()


def diagnose(
    sample: Sample,
    context: Context,
    evidence: Sequence[Evidence] = (),
    *,
    thresholds: Thresholds = _DEFAULT,
) -> Diagnosis:
    """Judge a sample.

    Parameters
    ----------
    sample
        Predictions, oldest first.
    context
        What they are held against. Keep one per bundle: it measures its reference once.
    evidence
        Of the sequential detectors, for a live stream; empty for a sample that stands alone.
    thresholds
        Where a statistic becomes a finding.

    Returns
    -------
    Diagnosis
        The first verdict of `VERDICTS` that holds of any output, with the findings of all of them.
    """
    outputs = context.outputs
    names = sorted(outputs.names, key=lambda name: name != outputs.primary)
    cases = [Case(sample, context, thresholds, name, evidence) for name in names]
    decided: tuple[Verdict, str] | None = None
    findings: list[Finding] = []
    for verdict, rule in VERDICTS.items():
        for case in cases:
            ruling = rule(case)
            findings += [each for each in ruling.findings if each not in findings]
            if ruling.holds and decided is None:
                decided = verdict, ruling.cause
    if decided is None:
        raise ValueError("the last rule of VERDICTS must always hold")
    return Diagnosis(
        verdict=decided[0],
        remedy=REMEDIES[decided[0]],
        cause=decided[1],
        findings=tuple(findings),
        n=len(sample),
    )
