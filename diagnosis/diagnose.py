"""From rows to one verdict: every rule is heard, the first that holds decides.

A detector that names a verdict and has alarmed makes that verdict hold, whatever its rule finds in
the rows. So a new detector needs no rule to know it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from plumbline.bundle.finding import Diagnosis, Finding, Level, Verdict
from plumbline.diagnosis.case import Case
from plumbline.diagnosis.evidence import Evidence
from plumbline.diagnosis.exact.facts import Exact
from plumbline.diagnosis.ruling import Ruling
from plumbline.diagnosis.sample import Context, Sample
from plumbline.diagnosis.thresholds import Thresholds
from plumbline.diagnosis.verdicts import all_verdicts

_DEFAULT = Thresholds()
_NOTHING = Exact()


def diagnose(
    sample: Sample,
    context: Context,
    evidence: Sequence[Evidence] = (),
    *,
    exact: Exact = _NOTHING,
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
    exact
        What arithmetic has decided about these rows.
    thresholds
        Where a statistic becomes a finding.

    Returns
    -------
    Diagnosis
        The first verdict of `VERDICTS` that holds of any output, with the findings of all of them.
    """
    outputs = context.outputs
    names = sorted(outputs.names, key=lambda name: name != outputs.primary)
    cases = [Case(sample, context, thresholds, name, evidence, exact) for name in names]
    decided: tuple[Verdict, str] | None = None
    findings: list[Finding] = []
    for verdict, rule in all_verdicts().items():
        for case in cases:
            ruling = _heard(rule(case), verdict, case.alarms(verdict))
            findings += [each for each in ruling.findings if not _among(each, findings)]
            if ruling.holds and decided is None:
                decided = verdict, ruling.cause
    if decided is None:
        raise ValueError("the last rule of VERDICTS must always hold")
    return Diagnosis(
        verdict=decided[0],
        cause=decided[1],
        findings=tuple(findings),
        n=len(sample),
    )


def _among(finding: Finding, findings: Sequence[Finding]) -> bool:
    return any(each.name == finding.name and each == finding for each in findings)


def _heard(ruling: Ruling, verdict: Verdict, alarms: Sequence[Evidence]) -> Ruling:
    """Return the ruling on a verdict, given the detectors that have alarmed and name it."""
    if not alarms:
        return ruling
    findings = (*ruling.findings, *(_alarm(each) for each in alarms))
    if ruling.holds:
        return Ruling(True, ruling.cause, findings)
    return Ruling(True, f"{verdict.facts.meaning} {findings[-1].message}", findings)


def _alarm(evidence: Evidence) -> Finding:
    columns = f", in {', '.join(evidence.columns[:12])}" if evidence.columns else ""
    return Finding(
        name="evidence_nats",
        level=Level.FAIL,
        value=evidence.log_e if isfinite(evidence.log_e) else None,
        threshold=evidence.threshold,
        n=evidence.n,
        message=f"The detector {evidence.detector} has gathered {evidence.log_e:.1f} nats in "
        f"{evidence.onset} rows{columns}; {evidence.threshold:.1f} are an alarm.",
        columns=evidence.columns,
    )
