"""The ranking is intact, and one constant offset per class would repair the rest."""

from __future__ import annotations

import numpy as np

from plumbline.bundle.finding import Finding, Interval, Level
from plumbline.diagnosis.bootstrap import mean_interval
from plumbline.diagnosis.case import Case
from plumbline.diagnosis.offset import log_odds_range, restoring_offset
from plumbline.diagnosis.output_baseline import offset_size
from plumbline.diagnosis.ruling import Ruling
from plumbline.diagnosis.skill import Hits


def rule(case: Case) -> Ruling:
    """Compare with the reference model where there is one, else with the label shares."""
    if case.n < case.thresholds.min_rows:
        return Ruling(False)
    if case.offset is not None and case.output_envelope is not None:
        return _against_reference(case)
    if case.hits is not None and case.hits.n >= case.thresholds.labelled_rows:
        return _against_labels(case, case.hits)
    return Ruling(False)


def _against_reference(case: Case) -> Ruling:
    """An offset beyond the reference's own, with residuals around it like the reference's."""
    limits, offset, bound = case.thresholds, case.offset, case.offset_bound
    size, ratio, gain = case.offset_size, case.residual_ratio, case.gain_ratio
    if offset is None or bound is None or size is None or gain is None:
        return Ruling(False)
    limit = limits.offset_ratio * case.imbalance
    shifted = case.suspect and size > bound
    ranked = (ratio is None or ratio <= limits.envelope_slack) and case.aligned
    responsive = limits.lost_gain <= gain <= limits.raised_gain
    holds = shifted and ranked and responsive and size <= limit
    finding = Finding(
        name="offset_nats",
        level=Level.FAIL if shifted else Level.PASS,
        value=size,
        threshold=bound,
        interval=_interval(case, offset) if shifted or not case.evidence else None,
        n=case.n,
        message=f"Against the reference model, outputs{case.of_output} are offset by "
        f"{_signed(case, offset)}; the reference itself stays within {bound:.2f}, an imbalance "
        f"within {limit:.2f}.",
        output=case.named,
    )
    cause = (
        f"A constant offset of {_signed(case, offset)}, within {limit:.1f} (twice what an "
        "imbalance makes); without it the model says what the reference model says."
    )
    return Ruling(holds, cause, (finding,))


def _against_labels(case: Case, measured: Hits) -> Ruling:
    """An offset that makes mean probabilities equal label shares, not too large for a bias."""
    limits = case.thresholds
    offset = restoring_offset(case.reading.centre, measured.shares)
    size = offset_size(offset)
    ratio = size / log_odds_range(measured.shares)
    warned = ratio > limits.offset_warning
    finding = Finding(
        name="offset_ratio",
        level=Level.FAIL if ratio > limits.offset_ratio else Level.WARN if warned else Level.PASS,
        value=ratio,
        threshold=limits.offset_ratio,
        n=measured.n,
        message=f"Putting the mean probabilities to the label shares takes {_signed(case, offset)} "
        f"nats, {ratio:.2f} times the log-odds of the label shares.",
        output=case.named,
    )
    cause = (
        f"A constant offset of {_signed(case, offset)} nats would restore the label shares; it is "
        f"{ratio:.1f} times their log-odds, small enough for a bias."
    )
    return Ruling(warned and ratio <= limits.offset_ratio, cause, (finding,))


def _interval(case: Case, offset: np.ndarray) -> Interval | None:
    """Interval of the difference between the two coordinates whose offsets are farthest apart."""
    if case.residuals is None:
        return None
    if len(offset) == 1:
        return mean_interval(case.residuals[:, 0])
    high, low = int(offset.argmax()), int(offset.argmin())
    return mean_interval(case.residuals[:, high] - case.residuals[:, low])


def _signed(case: Case, offset: np.ndarray) -> str:
    pairs = zip(case.coordinate_names, offset, strict=True)
    return ", ".join(f"{name} {value:+.2f}" for name, value in pairs)
