"""Too good: the labels, or the future, have reached the features."""

from __future__ import annotations

from plumbline.bundle.finding import Finding, Level
from plumbline.diagnosis.case import Case
from plumbline.diagnosis.probe import probe
from plumbline.diagnosis.ruling import Ruling
from plumbline.diagnosis.wilson import wilson


def rule(case: Case) -> Ruling:
    """Hold when the accuracy is far above the majority share, or shuffled labels can be learnt."""
    limits, measured = case.thresholds, case.hits
    if measured is None or measured.n < limits.labelled_rows:
        return Ruling(False)
    interval = wilson(measured.correct, measured.n)
    limit = measured.majority + limits.leak_margin
    good = interval is not None and interval.low > limit
    accuracy = Finding(
        name="accuracy",
        level=Level.FAIL if good else Level.PASS,
        value=measured.accuracy,
        threshold=min(limit, 1.0),
        interval=interval,
        n=measured.n,
        message=f"{measured.accuracy:.1%} of {measured.n} labelled rows are right; the majority "
        f"class alone gives {measured.majority:.1%}.",
    )
    shuffled, learnt = _shuffled(case)
    cause = (
        f"Too good to be true: {measured.accuracy:.1%} right where the majority gives "
        f"{measured.majority:.1%}. Look for centred windows, labels among the features, or "
        "training rows among these."
        if good
        else "A probe trained on shuffled labels predicts the true ones: the two parts overlap."
    )
    return Ruling(good or learnt, cause, (accuracy, *shuffled))


def _shuffled(case: Case) -> tuple[tuple[Finding, ...], bool]:
    features, truth = case.sample.features, case.truth
    if features is None or truth is None:
        return (), False
    result = probe(features, truth, classes=len(case.head.spec.choices))
    if result is None:
        return (), False
    interval = wilson(result.shuffled_correct, result.n)
    limit = result.majority + case.thresholds.probe_margin
    learnt = interval is not None and interval.low > limit
    return (
        Finding(
            name="shuffled_label_accuracy",
            level=Level.FAIL if learnt else Level.PASS,
            value=result.shuffled_correct / result.n,
            threshold=min(limit, 1.0),
            interval=interval,
            n=result.n,
            message=f"A linear probe on the features gets {result.correct / result.n:.1%} right "
            f"with true labels, {result.shuffled_correct / result.n:.1%} with shuffled ones.",
        ),
    ), learnt
