"""Nothing is the matter that can be seen; the rest of what was measured is reported here."""

from __future__ import annotations

import numpy as np

from plumbline.bundle.finding import Finding, Level
from plumbline.diagnosis.case import Case
from plumbline.diagnosis.entropy import mutual_information
from plumbline.diagnosis.ruling import Ruling
from plumbline.diagnosis.share import action_counts, share_entropy


def rule(case: Case) -> Ruling:
    """Hold always: it is the last to be asked."""
    cause = f"{case.n} rows: outputs follow the inputs, and every action is taken as it should be."
    if case.accused:
        cause = (
            f"A detector alarmed, but nothing in {case.n} rows differs enough from the reference "
            "to be named."
        )
    return Ruling(True, cause, (_entropy(case), _information(case)))


def _entropy(case: Case) -> Finding:
    counts = action_counts(case.sample.actions, len(case.context.classes))
    value = share_entropy(np.asarray(counts) / case.n) if case.n else None
    low = value is not None and value < case.thresholds.low_entropy
    return Finding(
        name="action_entropy_ratio",
        level=Level.INSUFFICIENT if value is None else Level.WARN if low else Level.PASS,
        value=value,
        threshold=case.thresholds.low_entropy,
        n=case.n,
        message="Shares of the actions: "
        + ", ".join(
            f"{name} {share:.1%}"
            for name, share in zip(case.context.classes, counts / max(case.n, 1), strict=True)
        )
        + ".",
    )


def _information(case: Case) -> Finding:
    value = mutual_information(case.sample.probabilities)
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
    )
