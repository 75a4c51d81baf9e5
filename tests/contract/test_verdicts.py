"""What every verdict promises, and the incidents' numbers as acceptance fixtures."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from plumbline.bundle.calibration import softmax
from plumbline.bundle.finding import Level, Remedy, Verdict
from plumbline.bundle.verdict import Side
from plumbline.diagnosis.diagnose import diagnose
from plumbline.diagnosis.evidence import Evidence
from plumbline.diagnosis.sample import Context, Sample
from plumbline.diagnosis.verdicts import VERDICTS
from tests.support.faults import INPUT_FAULTS, OUTPUT_FAULTS
from tests.support.streams import Stream, choosing, context, healthy

NAMES = ("SELL", "HOLD", "BUY")
ALONE = Context(choosing((0.163, 0.656, 0.181)), ())
JUDGED_ELSEWHERE = {
    Verdict.ARTEFACT_FAULT,
    Verdict.UNEXPLAINED,
    Verdict.ANTI_SIGNAL,
    Verdict.MISCALIBRATED,
}


def said(
    logits: np.ndarray, labels: np.ndarray | None = None, features: np.ndarray | None = None
) -> Sample:
    """Return what a model said, by plain argmax."""
    p = softmax(np.asarray(logits, np.float64))
    truth = None if labels is None else np.where(labels >= 0, labels, np.nan)[:, None]
    readings = ALONE.outputs.restore(p, np.zeros((len(p), 1)))
    return Sample(readings, action=p.argmax(axis=1), features=features, truth=truth)


def varying(mean: object, sd: object, n: int = 400) -> np.ndarray:
    """Return logits with these means and standard deviations."""
    return np.random.default_rng(0).normal(mean, sd, (n, 3))


def walk_judged_by(averages: str) -> Sample:
    """Return a linear model's answers on a random walk, from moving averages of the price.

    It is fitted on the first half and judged on the second; ``centred`` averages reach six steps
    ahead, ``trailing`` ones do not. Labels are SELL, HOLD or BUY by the change in six steps.
    """
    price = np.cumsum(np.random.default_rng(0).normal(size=6_000))
    rows = np.arange(30, len(price) - 30)
    features = []
    for width in (3, 5, 7, 9, 11, 13):
        ahead = width // 2 if averages == "centred" else 0
        mean = np.convolve(price, np.ones(width) / width)[rows + ahead]
        features.append(mean - price[rows])
    features.append(price[rows - 6] - price[rows])
    x, change = np.column_stack(features), price[rows + 6] - price[rows]
    half = len(rows) // 2
    weights = np.linalg.lstsq(x[:half], change[:half], rcond=None)[0]
    expected = x[half:] @ weights
    logits = np.column_stack([-expected - 1.2, np.zeros(half), expected - 1.2])
    labels = np.where(change > 1.2, 2, np.where(change < -1.2, 0, 1))[half:]
    return said(logits, labels=labels, features=x[half:])


def test_every_verdict_is_judged_somewhere() -> None:
    """And whatever comes, something holds."""
    assert set(VERDICTS) | JUDGED_ELSEWHERE == set(Verdict)
    assert list(VERDICTS)[-1] is Verdict.HEALTHY


@pytest.mark.parametrize("rows", [0, 1, 2, 49, 50, 200, 1_000])
def test_no_finding_is_ever_nan(rows: int) -> None:
    """Undefined is None; the document survives strict JSON; something always holds."""
    stream = healthy(1_000, 2).rows(0, rows)
    for held in (context(), replace(context(), reference=None)):
        found = diagnose(stream.sample(labels=np.full(rows, -1)), held)
        numbers = [each.value for each in found.findings if each.value is not None]

        assert all(math.isfinite(number) for number in numbers)
        assert json.loads(found.to_json())["verdict"] == found.verdict
        assert found.n == rows


@pytest.mark.parametrize("rows", [0, 1, 20])
def test_few_rows_are_insufficient(rows: int) -> None:
    """Fixture 4: the standard deviation of a single prediction accuses nobody."""
    found = diagnose(healthy(1_000, 2).rows(0, rows).sample(), context())
    spread = next(each for each in found.findings if each.name == "output_spread")

    assert found.verdict is Verdict.INSUFFICIENT_DATA
    assert spread.level is Level.INSUFFICIENT
    assert rows > 1 or spread.value is None


def test_constant_output_is_flat() -> None:
    """Fixture 1, also where the constant is a confident one; fixture 14: no NaN from it."""
    for logits in ([0.0, 1.0, 0.0], [0.0, 30.0, 0.0]):
        found = diagnose(said(np.tile(logits, (100, 1))), ALONE)

        assert found.verdict is Verdict.FLAT
        assert found.verdict.facts.remedy is Remedy.RETRAIN


def test_incident_i1_is_a_dominant_action() -> None:
    """Fixture 2: varying logits, one action, on 9,073 rows."""
    found = diagnose(said(varying([-5.64, 5.04, -1.51], [0.66, 1.01, 1.56], 9_073)), ALONE)

    assert found.verdict is Verdict.DOMINANT_ACTION
    assert "HOLD" in found.cause


def test_incident_i4_is_a_dominant_action() -> None:
    """Fixture 3: any class may dominate, not only the prior's."""
    found = diagnose(said(varying([4.7, 0.3, -3.65], [0.4, 0.45, 0.65], 9_073)), ALONE)

    assert found.verdict is Verdict.DOMINANT_ACTION
    assert "SELL" in found.cause


def test_a_hundred_rows_of_one_action_prove_nothing_yet() -> None:
    """Alone, without a reference to ask: more rows are needed."""
    found = diagnose(said(varying([4.7, 0.3, -3.65], [0.4, 0.45, 0.65], 100)), ALONE)

    assert found.verdict is Verdict.INSUFFICIENT_DATA


def test_pinned_softmax_is_saturated() -> None:
    """Nearly every row above .999 and one action, though not constant."""
    logits = varying([-9.0, 9.0, -9.0], [0.5, 0.5, 0.5])
    logits[::40] = [-1.0, 2.0, -1.0]
    found = diagnose(said(logits), ALONE)

    assert found.verdict is Verdict.SATURATED


@pytest.mark.parametrize("seed", range(8))
def test_a_healthy_model_is_left_alone(seed: int) -> None:
    """Fixture 5, against a reference of other rows."""
    assert diagnose(healthy(1_000, seed).sample(), context()).verdict is Verdict.HEALTHY


def test_a_quiet_market_is_not_a_collapse() -> None:
    """Fixture 6: nine labels in ten are HOLD, and the rare ones are found."""
    rng = np.random.default_rng(0)
    labels = rng.choice(3, 1_000, p=[0.05, 0.9, 0.05])
    logits = rng.normal(0, 0.7, (1_000, 3)) + 3.0 * np.eye(3)[labels]
    found = diagnose(said(logits, labels=labels), ALONE)

    assert found.verdict in {Verdict.HEALTHY, Verdict.REGIME}


def test_a_market_that_explains_the_share_is_a_regime() -> None:
    """One action beyond the threshold, and the reference model agrees for these inputs."""
    calm = healthy(4_000, 11)
    holding = np.flatnonzero(calm.actions == 1)[:600]
    quiet = Stream(calm.features[holding], calm.logits[holding])
    found = diagnose(quiet.sample(), context())

    assert found.verdict is Verdict.REGIME
    assert found.sized


def test_centred_averages_are_a_leak() -> None:
    """Fixture 7: a random walk whose features look ahead is predicted far too well."""
    held = replace(ALONE, features=tuple("abcdefg"))
    centred = diagnose(walk_judged_by("centred"), held)
    trailing = diagnose(walk_judged_by("trailing"), held)

    assert centred.verdict is Verdict.LEAK
    assert centred.verdict.facts.remedy is Remedy.REFUSE
    assert trailing.verdict is not Verdict.LEAK


def test_learning_only_the_prior_is_no_signal() -> None:
    """Fixture 10: accuracy of the majority class, log-loss of a constant, outputs that vary."""
    rng = np.random.default_rng(0)
    labels = rng.choice(3, 1_000, p=[0.3, 0.4, 0.3])
    logits = np.log([0.3, 0.4, 0.3]) + rng.normal(0, 0.3, (1_000, 3))
    found = diagnose(said(logits, labels=labels), ALONE)

    assert found.verdict is Verdict.NO_SIGNAL


def test_a_bias_is_told_from_a_collapse_by_labels_alone() -> None:
    """An offset between one and two prior log-odds is a bias; a larger one is not."""
    rng = np.random.default_rng(0)
    labels = rng.choice(3, 2_000, p=[0.163, 0.656, 0.181])
    sound = np.log([0.163, 0.656, 0.181]) + rng.normal(0, 0.8, (2_000, 3)) + np.eye(3)[labels]
    small = diagnose(said(sound + np.array([1.9, 0, 0]), labels=labels), ALONE)
    large = diagnose(said(sound + np.array([9.0, 0, 0]), labels=labels), ALONE)

    assert small.verdict is Verdict.BIAS_SHIFT
    assert small.verdict.facts.remedy is Remedy.RECALIBRATE
    assert large.verdict is not Verdict.BIAS_SHIFT


@pytest.mark.parametrize("name", OUTPUT_FAULTS)
def test_sampled_rows_of_a_broken_model_are_named(name: str) -> None:
    """Without evidence, against the reference model, as a gate asks."""
    fault, right = OUTPUT_FAULTS[name]
    stream = healthy(400, 21)
    found = diagnose(stream.saying(fault(stream.logits, reference_logits())).sample(), context())

    assert found.verdict in right


@pytest.mark.parametrize("name", INPUT_FAULTS)
def test_sampled_rows_of_a_broken_client_are_named(name: str) -> None:
    """Fixture 8, and its relatives: never a retrain; the columns are named."""
    fault, right = INPUT_FAULTS[name]
    stream, reference = healthy(400, 21), context().reference
    assert reference is not None
    broken = stream.shown(fault(stream.features[:, None, :], reference.features)[:, 0])
    found = diagnose(broken.sample(), context())

    assert found.verdict in right | {Verdict.SCHEMA_SKEW}
    assert found.verdict.facts.remedy is Remedy.CALL
    if found.verdict is not Verdict.FROZEN_FEED:
        assert any(each.columns for each in found.findings if each.level is Level.FAIL)


def test_drift_is_inputs_elsewhere_and_a_model_that_responds() -> None:
    """All columns together, within reach: a market may do that."""
    stream = healthy(1_000, 21)
    moved = stream.shown(stream.features * 1.2 + 1.2 * stream.features.std(axis=0))
    found = diagnose(moved.sample(), context())

    assert found.verdict in {Verdict.DRIFT, Verdict.SCHEMA_SKEW}
    assert found.verdict.facts.remedy is not Remedy.RETRAIN


@pytest.mark.parametrize(
    ("detector", "verdict"),
    [
        ("frozen", Verdict.FROZEN_FEED),
        ("zero_padded", Verdict.SCHEMA_SKEW),
        ("stale", Verdict.STALE_FEATURES),
    ],
)
def test_an_input_alarm_decides_within_a_few_rows(detector: str, verdict: Verdict) -> None:
    """Long before there are rows enough to judge the model."""
    alarm = Evidence(detector, verdict, 20.0, 15.0, True, 5, 200, ("feature_3",))
    found = diagnose(healthy(1_000, 2).rows(0, 5).sample(), context(), [alarm])

    assert found.verdict is verdict


def test_a_stream_without_an_alarm_is_not_accused() -> None:
    """With evidence the model is named only if a detector alarmed."""
    stream = healthy(400, 21)
    biased = stream.saying(stream.logits + np.array([1.2, 0, 0]))
    silent = Evidence("surrogate", Side.MODEL, 0.0, 15.0, False, 0, 400)
    loud = replace(silent, log_e=20.0, alarmed=True)

    assert diagnose(biased.sample(), context(), [silent]).verdict is Verdict.HEALTHY
    assert diagnose(biased.sample(), context(), [loud]).verdict is Verdict.BIAS_SHIFT


def reference_logits() -> np.ndarray:
    """Return what the reference model said."""
    reference = context().reference
    assert reference is not None
    return np.asarray(reference.raw, np.float64)
