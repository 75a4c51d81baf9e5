"""Nothing is the matter that can be seen; the rest of what was measured is reported here."""

from __future__ import annotations

import numpy as np

from plumbline.bundle.finding import Finding, Level
from plumbline.diagnosis.case import Case
from plumbline.diagnosis.entropy import mutual_information
from plumbline.diagnosis.ruling import Ruling
from plumbline.diagnosis.share import action_counts, share_entropy

APART = 0.3
"""Difference of a share from the reference's that is worth a sentence."""


def rule(case: Case) -> Ruling:
    """Hold always: it is the last to be asked."""
    cause = f"{case.n} rows: outputs follow the inputs as they did in the reference."
    if any(each.alarmed for each in case.evidence if each.subject == "output"):
        cause = (
            f"A detector alarmed, but nothing in {case.n} rows differs enough from the reference "
            "to be named."
        )
    if (apart := _apart(case)) is not None:
        cause = f"{cause} {apart}"
    found = (_entropy(case), _information(case))
    return Ruling(True, cause, tuple(each for each in found if each is not None))


def _apart(case: Case) -> str | None:
    """Say so where the actions are taken far more or less often than in the reference."""
    reference, actions = case.context.reference, case.actions
    if reference is None or actions is None or case.n < case.thresholds.min_rows:
        return None
    names = case.head.spec.choices
    usual = reference.action_shares(len(names))
    found = np.asarray(action_counts(actions, len(names))) / case.n
    if np.abs(found - usual).max() < APART:
        return None
    pairs = zip(names, found, usual, strict=True)
    said = ", ".join(f"{name} {one:.0%} against {other:.0%}" for name, one, other in pairs)
    return f"The actions are others than in the reference as a whole, as its inputs are: {said}."


def _entropy(case: Case) -> Finding | None:
    """Evenness of the actions; None where there are none."""
    if case.actions is None:
        return None
    names = case.head.spec.choices
    counts = action_counts(case.actions, len(names))
    value = share_entropy(np.asarray(counts) / case.n) if case.n else None
    low = value is not None and value < case.thresholds.low_entropy
    shares = zip(names, counts / max(case.n, 1), strict=True)
    return Finding(
        name="action_entropy_ratio",
        level=Level.INSUFFICIENT if value is None else Level.WARN if low else Level.PASS,
        value=value,
        threshold=case.thresholds.low_entropy,
        n=case.n,
        message=f"Shares of the actions: {', '.join(f'{n} {share:.1%}' for n, share in shares)}.",
    )


def _information(case: Case) -> Finding | None:
    """What probabilities claim to know; None for outputs that are none."""
    if not case.head.spec.choices:
        return None
    value = mutual_information(case.reading.centre)
    low = value is not None and value < case.thresholds.low_information
    return Finding(
        name="mutual_information_nats",
        level=Level.INSUFFICIENT if value is None else Level.WARN if low else Level.PASS,
        value=value,
        threshold=case.thresholds.low_information,
        n=case.n,
        message="The information is undefined for fewer than two rows."
        if value is None
        else f"The predictions claim to know {value:.3f} nats about the class.",
        output=case.named,
    )
