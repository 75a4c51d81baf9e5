"""The ranking is intact, and one constant offset per class would repair the rest."""

from __future__ import annotations

import numpy as np

from plumbline.bundle.finding import Finding, Interval, Level
from plumbline.diagnosis.bootstrap import mean_interval
from plumbline.diagnosis.case import Case
from plumbline.diagnosis.offset import log_odds_range, offset_size, restoring_offset
from plumbline.diagnosis.ruling import Ruling


def rule(case: Case) -> Ruling:
    """Compare with the reference head where there is one, else with the label shares."""
    if case.n < case.thresholds.min_rows:
        return Ruling(False)
    if case.offset is not None and case.envelope is not None:
        return _against_reference(case)
    if case.skill is not None and case.skill.n >= case.thresholds.labelled_rows:
        return _against_labels(case)
    return Ruling(False)


def _against_reference(case: Case) -> Ruling:
    """An offset beyond the reference's own, with residuals around it like the reference's."""
    limits, offset, bound = case.thresholds, case.offset, case.offset_bound
    size, ratio, gain = case.offset_size, case.residual_ratio, case.gain_ratio
    if offset is None or bound is None or size is None or gain is None:
        return Ruling(False)
    limit = limits.offset_ratio * case.prior_log_odds
    shifted = case.suspect and size > bound
    ranked = (ratio is None or ratio <= limits.envelope_slack) and case.aligned
    responsive = limits.lost_gain <= gain <= limits.raised_gain
    steeper = _steeper(case, bound)
    holds = (shifted and ranked and responsive and size <= limit) or steeper
    finding = Finding(
        name="offset_nats",
        level=Level.FAIL if shifted else Level.PASS,
        value=size,
        threshold=bound,
        interval=_interval(case, offset) if shifted or not case.evidence else None,
        n=case.n,
        message=f"Against the reference head, classes are offset by {_signed(case, offset)} nats;"
        f" the reference itself stays within {bound:.2f}, an imbalance within {limit:.2f}.",
    )
    if steeper:
        cause = (
            f"The log-probabilities move {case.steepness:.1f} times as far as the reference's, in "
            "the same direction: a temperature repairs them."
        )
    else:
        cause = (
            f"A constant offset of {_signed(case, offset)} nats, within {limit:.1f} (twice the "
            "prior log-odds); without it the model says what the reference head says."
        )
    return Ruling(holds, cause, (finding,))


def _against_labels(case: Case) -> Ruling:
    """An offset that makes mean probabilities equal label shares, not too large for a bias."""
    limits, measured = case.thresholds, case.skill
    if measured is None:
        return Ruling(False)
    offset = restoring_offset(case.sample.probabilities, measured.label_shares)
    size = offset_size(offset)
    ratio = size / log_odds_range(measured.label_shares)
    warned = ratio > limits.offset_warning
    finding = Finding(
        name="offset_ratio",
        level=Level.FAIL if ratio > limits.offset_ratio else Level.WARN if warned else Level.PASS,
        value=ratio,
        threshold=limits.offset_ratio,
        n=measured.n,
        message=f"Putting the mean probabilities to the label shares takes {_signed(case, offset)} "
        f"nats, {ratio:.2f} times the log-odds of the label shares.",
    )
    cause = (
        f"A constant offset of {_signed(case, offset)} nats would restore the label shares; it is "
        f"{ratio:.1f} times their log-odds, small enough for a bias."
    )
    return Ruling(warned and ratio <= limits.offset_ratio, cause, (finding,))


def _steeper(case: Case, bound: float) -> bool:
    """Whether one factor on all log-probabilities explains them, and leaves no offset."""
    steepness, gain = case.steepness, case.gain_ratio
    if not case.suspect or not steepness or gain is None or case.residuals is None:
        return False
    said = case.log_ratios[case.known].mean(axis=0)
    expected = said - case.residuals.mean(axis=0)
    left = offset_size(said / steepness - expected)
    undecided = case.top_low < case.thresholds.leaning_share
    return gain > case.thresholds.raised_gain and undecided and case.aligned and left < bound


def _interval(case: Case, offset: np.ndarray) -> Interval | None:
    """Interval of the difference between the two classes whose offsets are farthest apart."""
    if case.residuals is None:
        return None
    high, low = int(offset.argmax()), int(offset.argmin())
    return mean_interval(case.residuals[:, high] - case.residuals[:, low])


def _signed(case: Case, offset: np.ndarray) -> str:
    pairs = zip(case.context.classes, offset, strict=True)
    return ", ".join(f"{name} {value:+.2f}" for name, value in pairs)
