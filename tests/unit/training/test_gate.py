"""The gate lets a model through that knows something, and names what is wrong with the others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from plumbline.bundle.archive import Bundle
from plumbline.bundle.calibration import (
    ScoreCalibration,
    ValueCalibration,
    softmax,
)
from plumbline.bundle.finding import Verdict
from plumbline.bundle.outputs import Outputs, write_calibrations
from plumbline.bundle.policies.abstain import AbstainPolicy
from plumbline.bundle.policies.kelly import KellyParams, KellyPolicy
from plumbline.bundle.policies.rank import RankParams, RankPolicy
from plumbline.bundle.reference import NO_ACTION
from plumbline.bundle.spec import InputSpec
from plumbline.diagnosis.sample import Context
from plumbline.store.prediction import PredictionBatch
from plumbline.training.dataset import Dataset
from plumbline.training.gate import input_clean, judge, judge_live
from plumbline.training.live import LiveRows
from plumbline.training.seal import answer_rows, build_reference, build_sample
from tests.support.bundles import score_output, small_bundle, value_output
from tests.support.datasets import plain_dataset
from tests.support.markets import HOUR, START
from tests.support.streams import choosing

LENGTH, FEATURES, ROWS = 4, 31, 1500
WEIGHTS = np.random.default_rng(7).normal(0, 0.35, (FEATURES, 3))
BASE = np.log([0.18, 0.64, 0.18])
OUTPUTS = choosing((0.18, 0.64, 0.18))


def sound(windows):
    """Answer with the very probabilities the labels were drawn from."""
    return (windows[:, -1] @ WEIGHTS + BASE).astype(np.float32)


def persistent(seed) -> np.ndarray:
    """Return features ``(ROWS, FEATURES)`` that are much like those of the hour before."""
    rng = np.random.default_rng(seed)
    features = np.zeros((ROWS, FEATURES))
    for row in range(1, ROWS):
        features[row] = 0.8 * features[row - 1] + rng.normal(0, 0.6, FEATURES)
    return features


def dataset(seed=0) -> Dataset:
    """Persistent features, and labels that follow from the newest of them, by chance."""
    features = persistent(seed)
    p = softmax(features @ WEIGHTS + BASE)
    draws = np.random.default_rng(seed + 100).random((ROWS, 1))
    labels = (draws > p.cumsum(axis=1)).sum(axis=1)
    return plain_dataset(features, labels[:, None], window_length=LENGTH)


DATA = dataset()
REFERENCE_ROWS, VALIDATION = np.arange(LENGTH, 700), np.arange(700, ROWS)
INPUT = InputSpec(name="features", shape=(LENGTH, FEATURES), names=DATA.names)


def judged(answer, *, live=None, data=DATA, outputs=OUTPUTS, rows=VALIDATION, champion=None):
    """Judge a model that turns windows into raw numbers."""

    def served(inputs):
        return answer(inputs["features"])

    def asked(some):
        return answer_rows(data, some, served, (INPUT,))

    reference = build_reference(data, REFERENCE_ROWS, asked(REFERENCE_ROWS), outputs)
    sample = build_sample(data, rows, asked(rows), outputs)
    context = Context(outputs, data.names, reference)
    return judge(sample, context, answer=served, live=live, champion=champion)


def constant(windows):
    return np.tile(BASE, (len(windows), 1)).astype(np.float32)


def always_hold(windows):
    return (0.3 * (sound(windows) - BASE) + [-5.6, 5.0, -1.5]).astype(np.float32)


def noise(windows):
    mixed = np.random.default_rng(3).permutation(FEATURES)
    return (windows[:, -1, mixed] @ WEIGHTS + BASE).astype(np.float32)


LABEL_OF = {DATA.features[row].tobytes(): int(DATA.truth[row, 0]) for row in range(ROWS)}


def prophetic(windows):
    """Know the label by heart, nearly always."""
    known = np.array([LABEL_OF[window[-1].tobytes()] for window in windows])
    return (sound(windows) + 9 * np.eye(3)[known]).astype(np.float32)


def served(windows, *, hashes=None) -> LiveRows:
    n = len(windows)
    text = np.array([f"{row:016x}" for row in range(n)]) if hashes is None else hashes
    rows = PredictionBatch(
        prediction_id=text,
        seq=np.arange(n),
        time=np.arange(n),
        bar_time=START + HOUR * np.arange(n, dtype=np.int64),
        symbol=np.full(n, "WALK"),
        group=np.full(n, ""),
        client=np.full(n, ""),
        version=np.full(n, "v"),
        action=np.full(n, NO_ACTION, np.int8),
        position=np.zeros(n, np.float32),
        size=np.zeros(n, np.float32),
        raw=np.zeros((n, 3), np.float32),
        centre=np.full((n, 3), 1 / 3, np.float32),
        epistemic=np.zeros((n, 1), np.float32),
        features=windows[:, -1],
        inputs_hash=text,
        window=np.full(n, None),
    )
    return LiveRows(rows, {"features": windows}, (INPUT,))


def test_a_model_that_knows_something_passes():
    """With its scores written down."""
    report = judged(sound)

    assert report.passed
    assert report.verdict is Verdict.HEALTHY
    assert report.metrics["log_loss"] < report.metrics["log_loss_constant"]
    assert report.reasons == ()


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (constant, Verdict.FLAT),
        (always_hold, Verdict.DOMINANT_ACTION),
        (noise, Verdict.NO_SIGNAL),
        (prophetic, Verdict.LEAK),
    ],
)
def test_a_model_with_a_fault_is_refused_by_name(answer, verdict):
    """The verdict and a reason a person can read."""
    report = judged(answer)

    assert not report.passed
    assert report.verdict is verdict
    assert report.reasons[0].startswith(f"{verdict.value} on 800 validation rows: ")


def test_too_few_validation_rows_do_not_pass():
    """What cannot be judged is not promoted."""
    report = judged(sound, rows=VALIDATION[:40])

    assert not report.passed
    assert report.verdict is Verdict.INSUFFICIENT_DATA


def test_a_model_that_collapses_on_what_is_served_is_refused():
    """Sound on validation, and the same answer to every window it has not been asked before."""
    windows = dataset(seed=1).windows(VALIDATION[:300])

    def half_blind(windows):
        known = np.array([window[-1].tobytes() in LABEL_OF for window in windows])
        return np.where(known[:, None], sound(windows), constant(windows))

    report = judged(half_blind, live=served(windows))

    assert not report.passed
    assert report.validation.verdict is Verdict.HEALTHY
    assert report.verdict is Verdict.FLAT
    assert report.reasons[0].startswith("flat on 300 served windows: ")


def only_live(broken):
    """Answer soundly what is known from validation, and with ``broken`` what was served."""

    def answer(windows):
        known = np.array([window[-1].tobytes() in LABEL_OF for window in windows])
        return sound(windows) if known.all() else broken(windows)

    return answer


def dealt_out(windows):
    return np.random.default_rng(5).permutation(sound(windows))


def drawn(windows):
    raw = sound(windows)
    return np.random.default_rng(5).normal(raw.mean(0), raw.std(0), raw.shape).astype("f4")


def exchanged(windows):
    return sound(windows)[:, ::-1].copy()


@pytest.mark.parametrize(
    ("broken", "verdict"),
    [
        (drawn, Verdict.FLAT),
        (dealt_out, Verdict.FLAT),
        (exchanged, Verdict.ANTI_SIGNAL),
    ],
)
@pytest.mark.parametrize("seed", range(1, 6))
def test_answers_that_do_not_belong_to_their_windows_are_refused(broken, verdict, seed):
    """They move as they should, and so have the gain of a healthy model; they follow nothing."""
    windows = dataset(seed=seed).windows(VALIDATION[:300])
    report = judged(only_live(broken), live=served(windows))

    assert report.validation.verdict is Verdict.HEALTHY
    assert not report.passed
    assert report.verdict is verdict


@pytest.mark.parametrize("seed", range(1, 6))
def test_a_sound_model_follows_its_surrogate_on_what_is_served(seed):
    """Windows of another stretch."""
    report = judged(sound, live=served(dataset(seed=seed).windows(VALIDATION[:300])))

    assert report.passed
    agreed = [each for each in report.live.findings if each.name == "surrogate_agreement"]
    assert [each.level for each in agreed] == ["pass", "pass"]
    assert all(each.value > 0.9 for each in agreed)


def champion(healthy, now=None):
    """Return a bundle that answered so in its health, and a graph that answers so now."""

    def given(inputs):
        return healthy(inputs["features"])

    raw = answer_rows(DATA, REFERENCE_ROWS, given, (INPUT,))
    reference = build_reference(DATA, REFERENCE_ROWS, raw, OUTPUTS)
    manifest, files = small_bundle("walk")
    manifest = manifest.model_copy(
        update={"inputs": (INPUT,), "outputs": OUTPUTS.specs, "primary": OUTPUTS.primary}
    )
    files |= {
        "reference.npz": reference.to_bytes(),
        "calibration.json": write_calibrations(OUTPUTS.calibrations),
    }
    answer = healthy if now is None else now
    return Bundle(manifest, files), lambda inputs: answer(inputs["features"])


def otherwise(windows):
    """Know just as much of other labels: a model of another question."""
    mixed = np.random.default_rng(3).permutation(FEATURES)
    return (windows[:, -1, mixed] @ WEIGHTS + BASE).astype(np.float32)


@pytest.mark.parametrize(
    ("serving", "parted"),
    [
        (champion(sound), False),
        (champion(otherwise), True),
        (champion(sound, constant), False),
        (champion(otherwise, constant), True),
    ],
)
def test_two_sound_models_that_say_different_things_part(serving, parted):
    """Of a champion that is broken now, what it said in its health counts."""
    live = served(dataset(seed=1).windows(VALIDATION[:300]))
    report = judged(sound, live=live, champion=serving)

    assert report.passed
    assert report.parted is parted


def test_a_sound_model_passes_on_what_is_served():
    """The same windows, and it follows them."""
    report = judged(sound, live=served(DATA.windows(VALIDATION[:300])))

    assert report.passed
    assert report.live is not None
    assert report.live.sized
    assert report.live.n == 300


def test_broken_inputs_accuse_nobody():
    """Repeated and zero-padded windows are left out before the model is judged on the rest."""
    windows = DATA.windows(VALIDATION[:300]).copy()
    windows[:100, :, :11] = 0
    windows[100:120] = windows[100]
    windows[120:150, 1:] = windows[120:150, :1]
    text = np.array([f"{row:016x}" for row in range(300)])
    text[100:120] = text[100]
    live = served(windows, hashes=text)
    raw = sound(DATA.windows(REFERENCE_ROWS))
    clean = input_clean(live, build_reference(DATA, REFERENCE_ROWS, raw, OUTPUTS))

    assert clean[:100].sum() == 0
    assert clean[100:120].sum() == 1
    assert clean[120:150].sum() == 0
    assert clean[150:].all()
    assert judged(sound, live=live).passed


def test_nothing_served_is_no_evidence():
    """No windows at all, or none with sound inputs: the validation rows decide alone."""
    windows = np.zeros((80, LENGTH, FEATURES), np.float32)
    report = judged(sound, live=served(windows))

    assert report.passed
    assert report.live is not None
    assert report.live.verdict is Verdict.INSUFFICIENT_DATA
    assert judged(sound, live=served(windows[:0])).passed


SLOPES = np.random.default_rng(8).normal(0, 1, (FEATURES, 2))
VALUES = (value_output(width=2, members=2, name="r1"), value_output(width=2, members=2, name="r5"))
SCORES = (score_output(),)


def forecasts() -> tuple[Dataset, Outputs]:
    """Two returns of which a fifth can be foreseen."""
    features = persistent(0)
    noise = np.random.default_rng(9).normal(0, 2, (ROWS, 2)) * SLOPES.std() * np.sqrt(FEATURES)
    truth = features @ SLOPES + noise
    data = plain_dataset(features, truth, window_length=LENGTH)
    spread = float((features @ SLOPES).std())
    each = {
        spec.name: ValueCalibration(noise=1.0, spread=spread, rows=REFERENCE_ROWS.size)
        for spec in VALUES
    }
    return data, Outputs(VALUES, each, KellyPolicy(KellyParams(), VALUES[0]))


def rankings() -> tuple[Dataset, Outputs]:
    """Moments of twenty rows whose order can be foreseen in part."""
    features = persistent(0)
    truth = features @ SLOPES[:, :1]
    truth = truth + 2 * truth.std() * np.random.default_rng(9).normal(size=truth.shape)
    data = plain_dataset(features, truth, window_length=LENGTH, group=np.arange(ROWS) // 20)
    each = {SCORES[0].name: ScoreCalibration(slope=0.1, rows=1)}
    return data, Outputs(SCORES, each, RankPolicy(RankParams(), SCORES[0]))


def members_of(means):
    """Return two members of two forecasts, mean and deviation each, about these means."""
    n, off = len(means), SLOPES.std() * np.sqrt(FEATURES)
    raw = np.zeros((n, 2, 2, 2))
    for place in range(2):
        raw[:, place, 0, 0] = means[:, place] + 0.1 * off
        raw[:, place, 1, 0] = means[:, place] - 0.1 * off
        raw[:, place, :, 1] = 2 * off
    return raw.reshape(n, -1).astype(np.float32)


def foreseen(windows):
    return members_of(windows[:, -1] @ SLOPES)


def one_of_two(windows):
    means = windows[:, -1] @ SLOPES
    means[:, 1] = 0.01
    return members_of(means)


def about_something_else(windows):
    mixed = np.random.default_rng(3).permutation(FEATURES)
    return members_of(windows[:, -1, mixed] @ SLOPES)


def ranked(windows):
    return (windows[:, -1] @ SLOPES[:, :1]).astype(np.float32)


def equal_scores(windows):
    return np.zeros((len(windows), 1), np.float32)


def ranked_by_chance(windows):
    return windows[:, -1, :1] - windows[:, -1, 1:2]


@pytest.mark.parametrize(
    ("made", "answer", "verdict"),
    [
        (forecasts, foreseen, Verdict.HEALTHY),
        (forecasts, one_of_two, Verdict.FLAT),
        (forecasts, about_something_else, Verdict.NO_SIGNAL),
        (rankings, ranked, Verdict.HEALTHY),
        (rankings, equal_scores, Verdict.FLAT),
        (rankings, ranked_by_chance, Verdict.NO_SIGNAL),
    ],
)
def test_other_kinds_of_output_are_judged_alike(made, answer, verdict):
    """Forecasts with members and rankings: what knows something passes, the rest is named.

    One flat output among sound ones is enough to be refused.
    """
    data, outputs = made()
    report = judged(answer, data=data, outputs=outputs)

    assert report.verdict is verdict
    assert report.passed is (verdict is Verdict.HEALTHY)
    assert not any(name.startswith("share_") for name in report.metrics)


def test_a_forecast_that_knows_how_far_and_not_which_way_is_not_bet_on():
    """It gains on the constant by its deviation alone: it serves, and its sizes are withheld."""
    features = persistent(0)
    far = np.exp(features[:, 0])
    truth = far[:, None] * np.random.default_rng(9).normal(size=(ROWS, 1))
    data = plain_dataset(features, truth, window_length=LENGTH)
    spec = value_output(width=2)
    each = {spec.name: ValueCalibration(noise=1.0, spread=0.01, rows=REFERENCE_ROWS.size)}

    def knows_how_far(windows):
        return np.stack([0.01 * windows[:, -1, 1], np.exp(windows[:, -1, 0])], 1).astype("f4")

    betting = Outputs((spec,), each, KellyPolicy(KellyParams(), spec))
    silent = Outputs((spec,), each, AbstainPolicy(AbstainPolicy.Params(), spec))
    found = judged(knows_how_far, data=data, outputs=betting)

    assert found.validation.verdict is Verdict.HEALTHY
    assert (found.passed, found.withheld) == (True, "direction not shown")
    quiet = judged(knows_how_far, data=data, outputs=silent)
    assert (quiet.passed, quiet.withheld) == (True, "")


def test_a_reference_of_a_policy_without_actions_has_none():
    """But positions and sizes, as its policy would have them."""
    data, outputs = forecasts()
    raw = foreseen(data.windows(REFERENCE_ROWS))
    reference = build_reference(data, REFERENCE_ROWS, raw, outputs)

    assert set(reference.action) == {NO_ACTION}
    assert set(np.unique(reference.position)) == {-1.0, 1.0}
    assert np.array_equal(np.sign(reference.centre[:, 0]), reference.position)
    assert (reference.size > 0).all()
    assert (reference.epistemic > 0).all()


def test_served_cross_sections_are_asked_about_whole_and_alone():
    """One of which a row is left out is left out; no other is shown beside it."""
    windows, text = DATA.windows(VALIDATION[:60]), np.array([f"{row:016x}" for row in range(60)])
    text[7] = text[3]
    live = served(windows, hashes=text)
    group = np.repeat([f"day {day:02}" for day in range(12)], 5)
    live = replace(live, rows=replace(live.rows, group=group))
    asked = []

    def ranked(inputs):
        asked.append(len(inputs["features"]))
        return (inputs["features"][:, -1] @ WEIGHTS)[:, :1].astype(np.float32)

    outputs = Outputs(
        (score_output(),),
        {"s6": ScoreCalibration(rows=10)},
        RankPolicy(RankParams(), score_output()),
    )
    everything = answer_rows(DATA, REFERENCE_ROWS, ranked, (INPUT,))
    reference = build_reference(DATA, REFERENCE_ROWS, everything, outputs)
    asked.clear()
    found = judge_live(live, ranked, Context(outputs, DATA.names, reference))

    assert asked == [5] * 11
    assert found.n == 55
