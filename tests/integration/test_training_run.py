"""Trainings from file to store: the bundle they leave, and what they refuse."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest

from plumbline.bundle.archive import Bundle
from plumbline.bundle.finding import Verdict
from plumbline.drills.fault import shifted_graph, with_graph
from plumbline.store.errors import RefusedError, StoreError
from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry
from plumbline.store.shipper import Shipper
from plumbline.store.spool import Spool
from plumbline.training.bars import as_datetime, as_microseconds
from plumbline.training.config import Experiment, read_experiment
from plumbline.training.errors import FeatureError, LabelError, TrainingError
from plumbline.training.feature_sets import FEATURE_SETS
from plumbline.training.live import Stretch
from plumbline.training.material import prepare
from plumbline.training.onnx_model import OnnxModel
from plumbline.training.publish import TrainingResult
from plumbline.training.refit import refit
from plumbline.training.replay import build_replay
from plumbline.training.run import train
from tests.support.feature_sets import LooksAhead
from tests.support.markets import HOUR, walk, write_csv
from tests.support.rows import prediction_row

MODEL = "walk-1h"


@pytest.fixture
def objects(tmp_path):
    """An empty store."""
    return Objects((tmp_path / "store").as_uri())


@pytest.fixture(scope="module")
def walk_file(tmp_path_factory):
    """900 hours of a market in which nothing can be known."""
    return write_csv(tmp_path_factory.mktemp("market") / "walk.csv", walk(900, symbol="default"))


@pytest.fixture
def tiny(walk_file) -> Experiment:
    """An experiment that takes seconds."""
    return Experiment.model_validate(
        {
            "window_length": 8,
            "data": {"source": str(walk_file)},
            "label": {
                "kind": "forward_return",
                "parameters": {"horizon_seconds": 21_600, "threshold": 0.002},
            },
            "split": {
                "train": 0.4,
                "calibration": 0.15,
                "validation": 0.3,
                "test": 0.15,
                "embargo_seconds": 21_600,
            },
            "family": {
                "kind": "tfa",
                "parameters": {"width": 16, "heads": 2, "layers": 1, "hidden": 16},
            },
            "fit": {"epochs": 2, "threads": 1},
        }
    )


@dataclass
class Real:
    """The default experiment on real bars, trained once for this module."""

    result: TrainingResult
    progress: list[float]
    bundle: Bundle
    objects: Objects
    registry: ModelRegistry


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> Real:
    """`plumbline train --promote` with nothing but defaults."""
    objects = Objects((tmp_path_factory.mktemp("real") / "store").as_uri())
    seen = []
    result = train(
        read_experiment("eurusd-1h"),
        objects,
        "eurusd-1h",
        promote=True,
        progress=lambda _what, share: seen.append(share),
    )
    registry = ModelRegistry(objects, "eurusd-1h")
    return Real(result, seen, registry.open(result.version), objects, registry)


def test_real_bars_teach_something(real):
    """The gate passes, the log loss beats the constant, no action dominates, and it is champion."""
    metrics = real.result.metrics

    assert real.result.passed
    assert real.result.verdict is Verdict.HEALTHY
    assert metrics["log_loss"] < metrics["log_loss_constant"]
    assert metrics["ece"] < 0.08
    assert min(metrics[f"share_{action}"] for action in ("sell", "hold", "buy")) > 0.10
    assert real.registry.alias().value.version == real.result.version


def test_the_progress_only_goes_forward(real):
    """From nothing to nearly all."""
    assert all(before <= after for before, after in pairwise(real.progress))
    assert real.progress[0] == 0
    assert 0.9 < real.progress[-1] <= 1


def test_every_row_is_accounted_for(real):
    """What was read is warm-up, masked, used in one part, or kept free between two."""
    rows = real.result.rows
    used = ("warm_up", "masked", "purged", "train", "calibration", "validation", "test")

    assert rows["read"] == 6225 == sum(rows[name] for name in used)
    assert rows["masked"] / rows["read"] == pytest.approx(0.008, abs=0.002)


def test_the_prior_is_that_of_the_rows_the_calibration_was_fitted_on(real):
    """The market and its mirror image: as many SELL as BUY; not the shares of the train part."""
    material = prepare(read_experiment("eurusd-1h"))
    shares = {}
    for part in ("train", "calibration"):
        truth = material.lessons.truth[material.lessons.rows(material.split, part), 0]
        shares[part] = np.bincount(truth.astype(int)) / len(truth)
    policy = real.bundle.manifest.policy

    assert policy.kind == "argmax"
    assert policy.parameters["prior"] == pytest.approx(shares["calibration"].tolist())
    assert policy.parameters["prior"][0] == pytest.approx(policy.parameters["prior"][2])
    assert policy.parameters["prior"] != pytest.approx(shares["train"].tolist(), abs=1e-4)
    assert policy.parameters["tau"] == 1


def test_the_exported_model_gives_the_golden_rows(real):
    """What the service will load says what was written down, and so does the reference."""
    bundle, golden = real.bundle, real.bundle.golden
    answer = OnnxModel(bundle.files["model.onnx"], bundle.manifest.inputs, bundle.manifest.outputs)
    reference, outputs = bundle.reference, bundle.outputs

    assert golden.largest_error(answer.by_output(golden.inputs)) <= 1e-4
    readings = outputs.read(reference.raw)
    assert np.abs(outputs.centres(readings) - reference.centre).max() < 1e-6
    assert (outputs.decide(readings).action == reference.action).mean() > 0.999
    assert not reference.epistemic.any()


def test_the_reference_was_not_learnt_from(real):
    """Its rows are consecutive, and later than the last outcome that taught the weights."""
    data, reference = real.bundle.manifest.data, real.bundle.reference
    bars = prepare(read_experiment("eurusd-1h")).dataset.time
    stretch = bars[(bars >= reference.bar_time[0]) & (bars <= reference.bar_time[-1])]

    assert np.array_equal(reference.bar_time, stretch)
    assert as_microseconds(data.train_end) + 6 * HOUR < reference.bar_time[0]
    assert not reference.guaranteed


def test_the_manifest_says_how_it_was_made(real):
    """Experiment, bars, scaler, label, loss and libraries."""
    manifest = real.bundle.manifest

    assert (
        Experiment.of_manifest(manifest.training)
        == prepare(read_experiment("eurusd-1h")).experiment
    )
    assert manifest.training["features"] == {
        "kind": "intraday_31",
        "parameters": {"session_bars": 24, "bar_seconds": 3600},
    }
    assert manifest.label.horizon_seconds == 3_600
    assert manifest.bar_interval_seconds == 3600
    assert manifest.data.symbols == ("EURUSD",)
    assert len(manifest.scaler.mean) == len(manifest.feature_set.names)
    assert manifest.feature_names == manifest.feature_set.names
    (given,), (said,) = manifest.inputs, manifest.outputs
    assert (given.name, given.source, given.shape) == ("features", "features", (32, 31))
    assert (said.name, said.choices) == ("direction_1h", ("SELL", "HOLD", "BUY"))
    assert {"torch", "onnx"} <= set(manifest.libraries)


def test_the_replay_is_what_no_training_has_seen(real):
    """At least 2,000 consecutive bars after everything that was used, windows whole."""
    replay = build_replay(read_experiment("eurusd-1h"))
    last_used = as_microseconds(real.bundle.manifest.data.reference_end)

    assert replay.held_out >= 2000
    assert replay.bar_time[replay.first] > last_used
    assert np.isfinite(replay.features).all()
    assert replay.first >= replay.window_length


def test_a_replay_file_can_be_read_without_the_training_room(real, tmp_path):
    """Plain arrays; the model's answer to a replayed window is finite."""
    held_out = build_replay(read_experiment("eurusd-1h"))
    (tmp_path / "replay.npz").write_bytes(held_out.to_bytes())
    with np.load(tmp_path / "replay.npz", allow_pickle=False) as data:
        first, length = int(data["first"]), int(data["window_length"])
        window = data["features"][first - length + 1 : first + 1]
        names = tuple(str(name) for name in data["feature_names"])

    manifest = real.bundle.manifest
    assert names == manifest.feature_names
    answer = OnnxModel(real.bundle.files["model.onnx"], manifest.inputs, manifest.outputs)
    assert np.isfinite(answer({"features": window[None]})).all()


def test_a_bias_is_refitted_without_touching_the_graph(real):
    """A graph whose HOLD logit is 3 too high gets a calibration that takes it back."""
    graph = shifted_graph(real.bundle, np.array([0.0, 3.0, 0.0]))
    biased = real.registry.write(*with_graph(real.bundle, graph, drill="bias"))
    result = refit(real.objects, "eurusd-1h", biased.version)
    found = real.registry.open(result.version)
    primary = found.manifest.primary
    after = found.outputs.read(found.golden.outputs[primary])[primary]

    assert result.passed
    assert result.parent == biased.version
    assert found.files["model.onnx"] == graph
    before = real.bundle.outputs.read(real.bundle.golden.outputs[primary])[primary]
    assert np.abs(after.centre - before.centre).max() < 0.01
    assert found.manifest.policy == real.bundle.manifest.policy
    assert found.manifest.data.train_end == real.bundle.manifest.data.train_end


def test_a_refit_never_uses_rows_that_taught_the_weights(real):
    """With an end before those rows, it says so and asks for a later one."""
    early = real.bundle.manifest.data.train_end

    with pytest.raises(TrainingError, match=r"no rows are left after .*give a later --until"):
        refit(real.objects, "eurusd-1h", real.result.version, until=early)


def test_a_model_of_a_random_walk_is_kept_but_never_promoted(tiny, objects):
    """Written with its reasons; asked to promote it, the registry refuses."""
    result = train(tiny, objects, MODEL, promote=True)
    registry = ModelRegistry(objects, MODEL)

    assert not result.passed
    assert not result.promoted
    assert result.verdict in {Verdict.NO_SIGNAL, Verdict.FLAT}
    assert registry.alias() is None
    assert registry.open(result.version).validation.reasons == result.reasons
    with pytest.raises(RefusedError, match=result.verdict.value):
        registry.promote(result.version, actor="test", reason="try")


def test_the_same_seed_gives_the_same_model(tiny, objects):
    """Graph, calibration and reference, byte for byte."""
    registry = ModelRegistry(objects, MODEL)
    one, same = (registry.open(train(tiny, objects, MODEL).version) for _ in range(2))

    for name in ("model.onnx", "calibration.json", "reference.npz", "golden.npz"):
        assert one.files[name] == same.files[name], name


def test_another_feature_set_is_a_line_in_the_configuration(tiny, objects):
    """Sixty columns are as good as 31, from bars to bundle, and a refit computes the same."""
    choice = {"kind": "multi_scale", "parameters": {}}
    result = train(tiny.changed(features=choice), objects, MODEL)
    registry = ModelRegistry(objects, MODEL)
    bundle = registry.open(result.version)

    assert len(bundle.manifest.feature_names) == 60
    assert bundle.golden.inputs["features"].shape[1:] == (8, 60)
    assert bundle.manifest.training["features"]["parameters"]["bar_seconds"] == 3600
    again = registry.open(refit(objects, MODEL, result.version).version)
    assert again.manifest.feature_set == bundle.manifest.feature_set


def test_a_feature_set_that_looks_ahead_is_refused(tiny, objects, monkeypatch):
    """Every training compares windows with the whole history, whoever wrote the feature set."""
    monkeypatch.setattr(FEATURE_SETS, "_registered", {})  # gone again after the test
    FEATURE_SETS.register("ahead")(LooksAhead)
    choice = {"kind": "ahead", "parameters": {}}
    with pytest.raises(FeatureError, match=r"default: 'return_8' is .*looks at later bars"):
        train(tiny.changed(features=choice), objects, MODEL)

    assert ModelRegistry(objects, MODEL).versions() == []


def test_logit_adjustment_puts_the_prior_back(tiny, objects):
    """The calibration adds tau times the log prior of the training labels."""
    choice = {"kind": "logit_adjusted", "parameters": {"tau": 0.5}}
    result = train(tiny.changed(loss=choice), objects, MODEL)
    bundle = ModelRegistry(objects, MODEL).open(result.version)

    assert bundle.manifest.loss.tau == 0.5
    material = prepare(tiny)
    truth = material.dataset.truth[material.dataset.rows(material.split, "train"), 0]
    expected = 0.5 * np.log(np.bincount(truth.astype(int)) / len(truth))
    (calibration,) = bundle.outputs.calibrations.values()
    assert calibration.prior_correction == pytest.approx(tuple(expected))
    again = ModelRegistry(objects, MODEL).open(refit(objects, MODEL, result.version).version)
    (refitted,) = again.outputs.calibrations.values()
    assert refitted.prior_correction == calibration.prior_correction


def test_a_retrain_uses_everything_up_to_now_and_starts_from_its_parent(tiny, objects):
    """No test part and nothing newer than asked for; unfit parents are passed over.

    One of another form is unfit, and one that has learnt from rows that are held out now: its
    weights would know what they are judged by.
    """
    early, late = (as_datetime(int(walk(900).time[row])) for row in (500, 800))
    first = train(tiny.changed(data={"until": early}), objects, MODEL)
    second = train(tiny.changed(data={"until": late}), objects, MODEL, parent=first.version)
    data = ModelRegistry(objects, MODEL).manifest(second.version).data

    assert (first.parent, second.parent) == (None, first.version)
    assert second.rows["read"] == 800
    assert "test" not in second.rows
    assert data.reference_end < late
    other = {"kind": "tfa", "parameters": {**tiny.family.parameters, "width": 8}}
    for change, parent in (({"family": other}, first), ({}, second)):
        unfit = tiny.changed(**change, data={"until": early})
        assert train(unfit, objects, MODEL, parent=parent.version).parent is None


def test_a_parent_whose_labels_reach_into_what_is_held_out_is_passed_over(tiny, objects):
    """Its last row lies three bars before the border, and its truth three bars behind it."""
    early, border = (as_datetime(int(walk(900).time[row])) for row in (500, 491))
    first = train(tiny.changed(data={"until": early}), objects, MODEL)
    data = ModelRegistry(objects, MODEL).manifest(first.version).data
    material = prepare(tiny.changed(data={"until": border}))
    held_out = material.split.part("calibration").start
    until = int(data.train_end.timestamp() * 1e6)
    second = train(tiny.changed(data={"until": border}), objects, MODEL, parent=first.version)

    assert until < held_out < until + material.split.purge
    assert second.parent is None


def test_weights_that_are_decayed_away_are_refused(real):
    """What the drill `bad-candidate` does: a flat model, and it is not promoted."""
    spoilt = read_experiment("eurusd-1h").changed(fit={"weight_decay": 1000.0, "epochs": 2})
    result = train(spoilt, real.objects, "spoilt", promote=True)

    assert not result.passed
    assert result.verdict in {Verdict.FLAT, Verdict.NO_SIGNAL}


class FailingObjects(Objects):
    """A store that fails half-way through a bundle."""

    def create(self, key: str, data: bytes) -> None:
        """Refuse one name."""
        if key.endswith("golden.npz"):
            raise StoreError("the disk is full")
        super().create(key, data)


def test_an_interrupted_training_leaves_no_bundle(tiny, tmp_path):
    """Whatever lies there without a manifest is not a version."""
    objects = FailingObjects((tmp_path / "store").as_uri())
    with pytest.raises(StoreError, match="the disk is full"):
        train(tiny, objects, MODEL)

    assert ModelRegistry(objects, MODEL).versions() == []


def test_served_windows_are_judged_as_well(real, tmp_path):
    """A candidate is asked about windows of the prediction log; its verdict on them is kept."""
    replay = build_replay(read_experiment("eurusd-1h"))
    spool = Spool(tmp_path / "spool", 0)
    rows = []
    for number in range(120):
        end = replay.first + 3 * number + 1
        window = replay.features[end - replay.window_length : end]
        row = prediction_row(number, features=window.shape[1], window=len(window))
        parts = {"window": window.tobytes(), "features": window[-1].tobytes()}
        rows.append(replace_row(row, **parts, bar_time=int(replay.bar_time[end - 1])))
    spool.append(rows)
    spool.close()
    Shipper(tmp_path / "spool", real.objects).ship()
    now = as_datetime(rows[-1].time)
    result = refit(real.objects, "eurusd-1h", real.result.version, live=Stretch(None, now))
    report = real.registry.open(result.version).validation

    assert report.live is not None
    assert report.live.n == 119
    assert report.live.sized


def replace_row(row, **values):
    """Return a prediction row with other values."""
    return type(row)(**{name: values.get(name, getattr(row, name)) for name in row.__slots__})


@pytest.mark.parametrize(
    ("changes", "error", "reason"),
    [
        ({"data": {"max_bars": 6}}, TrainingError, "6 bars are too few to be split"),
        ({"data": {"max_bars": 140}}, TrainingError, "no rows are left in the train part"),
        (
            {
                "label": {
                    "kind": "forward_return",
                    "parameters": {"horizon_seconds": 21_600, "threshold": 0.5},
                }
            },
            LabelError,
            r"the train part lacks a class \(SELL 0, HOLD \d+, BUY 0\)",
        ),
        ({"split": {"purge_seconds": 60}}, TrainingError, "shorter than the label's horizon"),
        ({"data": {"until": "2019-01-01T00:00:00Z"}}, TrainingError, "no bar had closed by 2019"),
        ({"fit": {"learning_rate": 1e30}}, TrainingError, "the loss is not finite in epoch 1"),
    ],
)
def test_what_cannot_work_is_refused_with_a_reason(tiny, objects, changes, error, reason):
    """Nothing is written, and the message says what to change."""
    with pytest.raises(error, match=reason):
        train(tiny.changed(**changes), objects, MODEL)

    assert ModelRegistry(objects, MODEL).versions() == []
