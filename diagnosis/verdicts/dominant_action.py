"""One action whatever the input, though the log-probabilities may vary."""

from __future__ import annotations

from plumbline.bundle.finding import Finding, Level
from plumbline.diagnosis.case import Case
from plumbline.diagnosis.ruling import Ruling


def rule(case: Case) -> Ruling:
    """Hold when the share is beyond the threshold and nothing but the model explains it."""
    limits = case.thresholds
    if case.top is None:
        return Ruling(False)
    _, share, interval = case.top
    alone = interval.low >= limits.dominant_share and case.n >= limits.share_rows
    suspect = case.suspect and (case.accused or case.agreed is False)
    enough = limits.tilted_share if case.beyond_imbalance else limits.leaning_share
    named = suspect and interval.low >= enough and case.n >= limits.accused_rows
    held = named or (alone and case.suspect)
    holds = held and case.agreed is not True and not _labels_agree(case)
    threshold = enough if suspect else limits.dominant_share
    finding = Finding(
        name="dominant_action_share",
        level=Level.FAIL
        if holds
        else Level.WARN
        if interval.low >= limits.leaning_share
        else Level.PASS,
        value=share,
        threshold=threshold,
        interval=interval,
        n=case.n,
        message=f"{case.top_name} holds {share:.1%} of {case.n} rows, "
        f"at least {interval.low:.1%} with {interval.level:.0%} confidence.",
    )
    reason = (
        "the reference model says otherwise for these inputs"
        if case.agreed is False
        else "the probabilities vary, the action does not"
    )
    cause = f"{case.top_name} is the answer to {share:.1%} of {case.n} rows: {reason}."
    return Ruling(holds, cause, (finding,))


def _labels_agree(case: Case) -> bool:
    """Whether the true labels are as one-sided as the actions, and the rare classes are found."""
    measured = case.hits
    if measured is None or case.top is None or measured.n < case.thresholds.labelled_rows:
        return False
    one_sided = measured.shares[case.top[0]] >= case.thresholds.leaning_share
    others = [r for j, r in enumerate(measured.recalls) if r is not None and j != case.top[0]]
    return bool(one_sided and others and max(others) > 0)
