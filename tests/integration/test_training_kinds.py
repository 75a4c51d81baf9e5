"""A training for every kind of output: where something can be known it is learnt, else refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from plumbline.bundle.archive import Bundle
from plumbline.bundle.spec import FEATURES
from plumbline.bundle.verdict import Verdict
from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry
from plumbline.training.config import Experiment
from plumbline.training.material import prepare
from plumbline.training.onnx_model import OnnxModel
from plumbline.training.publish import TrainingResult
from plumbline.training.refit import refit
from plumbline.training.run import train
from tests.support.markets import write_csv
from tests.support.planted import planted, write_panel

ROWS, PANEL_ROWS, SYMBOLS = 2200, 420, 20
SIGNAL = 2.0
SMALL = {"width": 16, "heads": 2, "layers": 1, "hidden": 16}
BANDS = {
    "horizon_seconds": 3600,
    "edges": [-0.002, -0.0006, 0.0006, 0.002],
    "names": ["CRASH", "DOWN", "FLAT", "UP", "BOOM"],
}
TWO = {"horizon_seconds": 3600, "edges": [0.0], "names": ["DOWN", "UP"]}
DIRECTION = {"horizon_seconds": 3600, "threshold": 0.001}
HORIZONS = {"horizons_seconds": [3600, 7200, 10_800, 21_600]}
RANKED = {"horizon_bars": 1, "bar_seconds": 3600}


def choice(kind: str, **parameters: Any) -> dict[str, Any]:
    """Return a plug-in's choice as a configuration has it."""
    return {"kind": kind, "parameters": parameters}


TFA = choice("tfa", **SMALL)
KINDS: dict[str, dict[str, Any]] = {
    "five": {"label": choice("return_bands", **BANDS), "family": TFA},
    "binary": {"label": choice("return_bands", **TWO), "family": TFA},
    "horizons": {"label": choice("returns", **HORIZONS), "family": TFA},
    "ranking": {"label": choice("cross_section", **RANKED), "family": TFA},
    "bayesian": {
        "label": choice("forward_return", **DIRECTION),
        "family": choice("bayesian", samples=8, **SMALL),
    },
    "ensemble": {
        "label": choice("forward_return", **DIRECTION),
        "family": choice("ensemble", partners=2, each=SMALL),
    },
    "bars": {"label": choice("forward_return", **DIRECTION), "family": TFA, "input": "bars"},
}
SHAPES = {
    "five": [(5, 1)],
    "binary": [(2, 1)],
    "horizons": [(2, 1)] * 4,
    "ranking": [(1, 1)],
    "bayesian": [(3, 8)],
    "ensemble": [(3, 2)],
    "bars": [(3, 1)],
}
POLICIES = {"horizons": "kelly", "ranking": "rank"}


def experiment(name: str, source: str) -> Experiment:
    """Return a small experiment of this kind on these bars."""
    values = {
        "window_length": 4,
        "data": {"source": source},
        "features": choice("multi_scale", widths=[3, 6, 12], volume=False),
        "split": {
            "train": 0.45,
            "calibration": 0.15,
            "validation": 0.4,
            "test": 0.0,
            "embargo_seconds": 3600,
        },
        "fit": {"epochs": 4, "patience": 2, "batch_size": 128, "learning_rate": 0.003},
    }
    return Experiment.model_validate({**values, **KINDS[name]})


@pytest.fixture(scope="module")
def markets(tmp_path_factory) -> dict[tuple[str, bool], str]:
    """Files of bars, by whether a panel is wanted and whether something can be known."""
    folder = tmp_path_factory.mktemp("markets")
    found = {}
    for known in (True, False):
        strength = SIGNAL if known else 0.0
        one = write_csv(folder / f"one-{known}.csv", planted(ROWS, strength=strength))
        many = folder / f"many-{known}.csv"
        write_panel(many, PANEL_ROWS, symbols=SYMBOLS, strength=strength)
        found |= {("one", known): str(one), ("many", known): str(many)}
    return found


def source_of(name: str, markets: dict[tuple[str, bool], str], *, known: bool) -> str:
    return markets["many" if name == "ranking" else "one", known]


@dataclass
class Learnt:
    """A kind, trained where something can be known."""

    name: str
    experiment: Experiment
    result: TrainingResult
    bundle: Bundle
    objects: Objects

    @property
    def answer(self) -> OnnxModel:
        """The graph, as the service runs it."""
        manifest = self.bundle.manifest
        return OnnxModel(self.bundle.files["model.onnx"], manifest.inputs, manifest.outputs)


@pytest.fixture(scope="module", params=KINDS)
def learnt(request, tmp_path_factory, markets) -> Learnt:
    """Each kind, trained once."""
    name = request.param
    objects = Objects((tmp_path_factory.mktemp(name) / "store").as_uri())
    made = experiment(name, source_of(name, markets, known=True))
    result = train(made, objects, name, promote=True)
    return Learnt(name, made, result, ModelRegistry(objects, name).open(result.version), objects)


def test_what_can_be_known_is_learnt(learnt):
    """It passes its gate, is better than the best constant, and becomes the champion."""
    metrics = learnt.result.metrics

    assert learnt.result.passed, learnt.result.reasons
    assert learnt.result.verdict in {Verdict.HEALTHY, Verdict.REGIME}
    assert learnt.result.promoted
    assert metrics["gain"] > 0
    kind = learnt.bundle.manifest.primary_output.kind
    if kind == "choice":
        assert metrics["log_loss"] < metrics["log_loss_constant"]
    elif kind == "value":
        for prefix in ("", "return_2h.", "return_3h.", "return_6h."):
            assert metrics[f"{prefix}rmse"] < metrics[f"{prefix}rmse_constant"]
            assert metrics[f"{prefix}correlation"] > 0.1
    else:
        assert metrics["rank_ic"] > 0.1
        assert metrics["cross_sections"] > 100


def test_the_manifest_says_what_goes_in_and_what_comes_out(learnt):
    """Widths and members of every output, the policy of that kind, and the unit."""
    manifest = learnt.bundle.manifest
    (given,) = manifest.inputs

    assert [(spec.width, spec.members) for spec in manifest.outputs] == SHAPES[learnt.name]
    assert manifest.outputs == learnt.experiment.outputs
    assert manifest.policy.kind == POLICIES.get(learnt.name, "argmax")
    assert manifest.unit == ("cross_section" if learnt.name == "ranking" else "row")
    assert given.source == ("bars" if learnt.name == "bars" else "features")
    assert Experiment.of_manifest(manifest.training) == prepare(learnt.experiment).experiment


def test_golden_rows_come_out_of_the_graph_again(learnt):
    """Of every output, all at once, two at a time and one by one."""
    golden, answer = learnt.bundle.golden, learnt.answer
    specs = learnt.bundle.manifest.outputs
    for size in (len(golden), 2, 1):
        parts = [
            answer.by_output({k: v[i : i + size] for k, v in golden.inputs.items()})
            for i in range(0, len(golden), size)
        ]
        said = {spec.name: np.concatenate([part[spec.name] for part in parts]) for spec in specs}

        assert golden.largest_error(said) <= learnt.bundle.manifest.tolerance


def test_the_reference_is_what_the_graph_says_of_its_rows(learnt):
    """Raw numbers, readings, members' disagreement and decisions belong together."""
    reference, outputs = learnt.bundle.reference, learnt.bundle.outputs
    material = prepare(learnt.experiment)
    rows = material.dataset.stream(material.split, "calibration", "validation")
    some = np.arange(0, len(rows), 37)
    raw = learnt.answer(material.dataset.inputs(rows[some], material.inputs))

    assert np.array_equal(reference.bar_time, material.dataset.time[rows])
    assert np.allclose(raw, reference.raw[some], atol=1e-4)
    readings = outputs.read(reference.raw, reference.group)
    assert np.allclose(outputs.centres(readings), reference.centre, atol=1e-6)
    several = any(spec.members > 1 for spec in outputs.specs)
    assert bool(reference.epistemic.any()) is several
    if outputs.policy.actions:
        taken = np.bincount(reference.action, minlength=len(outputs.policy.actions))
        assert (taken > 0).all()
    else:
        assert (reference.action == -1).all()
    assert (reference.size[reference.position != 0] > 0).any()


def test_the_prior_is_that_of_the_rows_the_calibration_was_fitted_on(learnt):
    """Of a policy that has actions; others have none."""
    material = prepare(learnt.experiment)
    rows = material.lessons.rows(material.split, "calibration")
    prior = learnt.bundle.outputs.policy.prior
    if prior is None:
        assert learnt.name in POLICIES
        return
    truth = material.lessons.truth[rows, 0]
    shares = np.bincount(truth[np.isfinite(truth)].astype(int)) / np.isfinite(truth).sum()

    assert prior == pytest.approx(shares.tolist())
    (calibration,) = learnt.bundle.outputs.calibrations.values()
    assert calibration.rows == len(rows)


def test_a_refit_keeps_graph_and_kind(learnt):
    """The same rows give the same calibration and prior again, whatever the kind."""
    result = refit(learnt.objects, learnt.name, learnt.result.version)
    found = ModelRegistry(learnt.objects, learnt.name).open(result.version)

    assert found.files["model.onnx"] == learnt.bundle.files["model.onnx"]
    assert found.manifest.outputs == learnt.bundle.manifest.outputs
    assert found.manifest.policy == learnt.bundle.manifest.policy
    for name, before in learnt.bundle.outputs.calibrations.items():
        after = found.outputs.calibrations[name].model_dump()
        for field, value in before.model_dump().items():
            assert np.allclose(after[field], value, rtol=1e-3, atol=1e-4), field


@pytest.mark.parametrize("name", KINDS)
def test_what_cannot_be_known_is_refused(name, markets, tmp_path):
    """A walk teaches nothing: written with its reasons, never promoted."""
    objects = Objects((tmp_path / "store").as_uri())
    made = experiment(name, source_of(name, markets, known=False)).changed(fit={"epochs": 2})
    result = train(made, objects, name, promote=True)

    assert not result.passed
    assert not result.promoted
    assert result.verdict in {Verdict.NO_SIGNAL, Verdict.FLAT}
    assert ModelRegistry(objects, name).alias() is None


@pytest.mark.parametrize("learnt", ["ranking"], indirect=True)
def test_golden_rows_of_a_ranking_are_whole_cross_sections(learnt):
    """Every symbol of each moment that is among them."""
    golden = learnt.bundle.golden
    _, counts = np.unique(golden.group, return_counts=True)

    assert set(counts) == {SYMBOLS}
    assert len(counts) >= 3
    assert (np.diff(golden.group) >= 0).all()


@pytest.mark.parametrize("learnt", ["ranking"], indirect=True)
def test_a_ranking_does_not_depend_on_what_lies_beside_it(learnt):
    """A cross-section read alone has the scores and positions it has in the stream."""
    bundle = learnt.bundle
    reference, outputs = bundle.reference, bundle.outputs
    for moment in np.unique(reference.group)[[0, 50, -1]]:
        own = reference.group == moment
        readings = outputs.read(reference.raw[own])
        decision = outputs.decide(readings)

        assert np.allclose(decision.position, reference.position[own])
        assert np.allclose(decision.size, reference.size[own], atol=1e-7)
        assert abs((decision.position * decision.size).sum()) < 1e-6


@pytest.mark.parametrize("learnt", ["bars"], indirect=True)
def test_a_graph_of_bars_says_which_features_it_saw(learnt):
    """Those the training computed; no TorchScript is made, since features may be anyone's code."""
    bundle = learnt.bundle
    material = prepare(learnt.experiment)
    rows = material.dataset.stream(material.split, "calibration", "validation")[::200]
    given = material.dataset.inputs(rows, material.inputs)
    seen = learnt.answer.by_output(given)[FEATURES]
    scale = np.array(bundle.manifest.scaler.scale)

    assert (np.abs(seen - material.dataset.features[rows]) / scale).max() < 1e-4
    assert "model.pt" not in bundle.files
    (spec,) = bundle.manifest.inputs
    assert spec.shape == (material.dataset.bars_needed, 6)
    assert bundle.manifest.feature_names == material.feature_set.names
