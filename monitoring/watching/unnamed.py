"""What is said of an output alarm that no rule names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from plumbline.bundle.finding import Diagnosis, Finding, Level, Verdict
from plumbline.diagnosis.evidence import Evidence
from plumbline.diagnosis.exact.facts import Exact
from plumbline.monitoring.watching.audit.probe import Probed


def unnamed(
    last: Diagnosis,
    evidence: Sequence[Evidence],
    exact: Exact,
    probed: Mapping[str, Probed] | None,
    *,
    since: int,
    begun: bool,
) -> Diagnosis:
    """Name the market if arithmetic leaves nobody else, or else say that nothing explains it.

    Parameters
    ----------
    last
        What the rules found in the rows.
    evidence
        Of the detectors, the one that alarmed among them.
    exact
        What arithmetic has decided about the rows.
    probed
        How the model responds around the newest windows, where that could be measured.
    since
        Rows since the onset.
    begun
        Whether the stream was sound before the onset, or its columns relate as they should: a
        client that was wrong from its first row contradicts itself nowhere.
    """
    alarmed = [each for each in evidence if each.alarmed and each.subject == "output"]
    said = ", ".join(f"{each.detector} {each.log_e:.0f} nats" for each in alarmed)
    findings = (*last.findings, *(_finding(each) for each in alarmed))
    if exact.cleared and exact.history is not False and begun:
        verdict = Verdict.DRIFT
        cause = (
            f"The outputs are not what they were ({said}), and the model is not the reason: "
            "replayed, its answers are its own, and to the reference's inputs it still says what "
            "it said. The inputs are where the reference has not been." + _response(probed)
        )
    else:
        verdict = Verdict.UNEXPLAINED
        cause = (
            f"The outputs are not what they were ({said}), and in {since} rows nothing says why: "
            "no fault of the inputs, of the answers or of the model has been found."
        )
    return Diagnosis(verdict=verdict, cause=cause, findings=findings, n=last.n)


def _response(probed: Mapping[str, Probed] | None) -> str:
    """Say how far the model responds here, as a share of how far it does there."""
    known = {} if probed is None else {k: v.ratio for k, v in probed.items() if v.ratio == v.ratio}
    if not known:
        return ""
    least = min(known, key=lambda name: known[name])
    of = f" {least}" if len(known) > 1 else ""
    return f" Moved around them, its output{of} moves {known[least]:.2g} times as far as there."


def _finding(evidence: Evidence) -> Finding:
    return Finding(
        name="evidence_nats",
        level=Level.FAIL,
        value=evidence.log_e,
        threshold=evidence.threshold,
        n=evidence.n,
        message=f"The detector {evidence.detector} has gathered {evidence.log_e:.1f} nats in "
        f"{evidence.onset} rows; {evidence.threshold:.1f} are an alarm.",
        output=evidence.output,
    )
