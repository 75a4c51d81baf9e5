"""MLflow gets what the store has, and its pyfunc answers as the service does."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from plumbline.bundle.archive import Bundle
from plumbline.cli.main import app
from plumbline.service.errors import FeatureMismatchError, RequestRejectedError
from plumbline.service.predictor import Predictor
from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry
from plumbline.store.run import Runs
from tests.support.bundles import choice_output, score_output, small_bundle, value_output
from tests.support.markets import walk, write_csv

pytest.importorskip("mlflow")

pytestmark = pytest.mark.filterwarnings("default")  # MLflow's own

CONFIG = """
window_length = 8
[data]
source = "{source}"
[label]
kind = "forward_return"
parameters = {{ horizon_seconds = 21_600, threshold = 0.002 }}
[split]
train = 0.4
calibration = 0.2
validation = 0.3
test = 0.1
embargo_seconds = 0
[family]
kind = "tfa"
parameters = {{ width = 8, heads = 2, layers = 1, hidden = 8 }}
[fit]
epochs = 2
"""


def loaded(bundle: Bundle, store: Objects, folder):
    """Return a bundle exported by the command and loaded by MLflow."""
    import mlflow.pyfunc

    ModelRegistry(store, bundle.manifest.name).write(bundle.manifest, bundle.files)
    command = ["export", "mlflow", bundle.version, "--to", str(folder), "--store", store.url]
    answer = CliRunner().invoke(app, [*command, "--json"])
    assert answer.exit_code == 0, answer.stderr
    assert json.loads(answer.stdout)["version"] == bundle.version
    return mlflow.pyfunc.load_model(str(folder))


@pytest.mark.parametrize(
    "outputs",
    [(choice_output(),), (value_output(),), (choice_output(), value_output(members=3))],
    ids=["choice", "value", "several"],
)
def test_the_pyfunc_says_of_the_golden_rows_what_the_service_says(outputs, tmp_path):
    """Action, position, size and every output, whether asked by instances or by arrays."""
    manifest, files = small_bundle(outputs=outputs)
    bundle = Bundle(manifest, files)
    model = loaded(bundle, Objects((tmp_path / "store").as_uri()), tmp_path / "model")
    golden = bundle.golden.inputs
    (name,) = golden
    instances = [{"features": window.tolist()} for window in golden[name]]
    predicted = Predictor.load(bundle).predict(golden)
    said = model.predict(instances)

    decision, names = predicted.decision, manifest.actions
    assert len(said) == len(bundle.golden)
    assert [each["size"] for each in said] == decision.size.tolist()
    assert [each["position"] for each in said] == decision.position.tolist()
    if decision.action is not None:
        assert [each["action"] for each in said] == [names[i] for i in decision.action.tolist()]
    for spec in outputs:
        head, calibration = bundle.outputs.heads[spec.name], bundle.outputs.calibrations[spec.name]
        for i, each in enumerate(said):
            wire = head.to_wire(predicted.readings[spec.name], i, calibration)
            if "outputs" in each:
                assert each["outputs"][spec.name] == wire
            else:
                assert each["probabilities"] == wire["probabilities"]
    ours = ("action", "position", "size", "outputs", "probabilities")
    by_array = model.predict(golden[name])
    assert [{k: v for k, v in each.items() if k in ours} for each in by_array] == [
        {k: v for k, v in each.items() if k in ours} for each in said
    ]


def test_the_pyfunc_keeps_cross_sections_apart(tmp_path):
    """A score ranks within the group that its instance names."""
    manifest, files = small_bundle(outputs=(score_output(),))
    bundle = Bundle(manifest, files)
    model = loaded(bundle, Objects((tmp_path / "store").as_uri()), tmp_path / "model")
    golden = bundle.golden
    ((name, rows),) = golden.inputs.items()
    instances = [
        {"features": row.tolist(), "group": str(group)}
        for row, group in zip(rows, golden.group, strict=True)
    ]
    predicted = Predictor.load(bundle).predict({name: rows}, golden.group)

    np.testing.assert_array_equal(
        [each["position"] for each in model.predict(instances)], predicted.decision.position
    )


def test_the_pyfunc_refuses_what_the_service_refuses(tmp_path):
    """With the same message, naming the instance; and what is no input at all."""
    manifest, files = small_bundle()
    bundle = Bundle(manifest, files)
    model = loaded(bundle, Objects((tmp_path / "store").as_uri()), tmp_path / "model")

    with pytest.raises(FeatureMismatchError, match=r"instances\[0\]"):
        model.predict([{"features": [[1.0]]}])
    with pytest.raises(RequestRejectedError, match="expected arrays of n rows"):
        model.predict(np.zeros((2, 1, 1), np.float32))
    with pytest.raises(RequestRejectedError, match="expected instances as in a request"):
        model.predict("hello")


def test_a_folder_in_use_is_left_alone(tmp_path):
    """Nothing is written over what is there."""
    manifest, files = small_bundle()
    store = Objects((tmp_path / "store").as_uri())
    bundle = ModelRegistry(store, manifest.name).write(manifest, files)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("dear")
    command = ["export", "mlflow", bundle.version, "--to", str(tmp_path / "full")]
    answer = CliRunner().invoke(app, [*command, "--store", store.url])

    assert answer.exit_code == 1
    assert "expected no such folder or an empty one" in answer.stderr
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["letter.txt"]


def test_a_training_is_logged(tmp_path, monkeypatch):
    """Parameters, both curves, metrics and the page; refused or not."""
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    bars = write_csv(tmp_path / "walk.csv", walk(900, symbol="default"))
    config = tmp_path / "walk.toml"
    config.write_text(CONFIG.format(source=bars))
    uri, store = (tmp_path / "mlruns").as_uri(), (tmp_path / "store").as_uri()
    command = ["train", "--config", str(config), "--store", store, "--model", "walk"]
    answer = CliRunner().invoke(app, [*command, "--mlflow", uri, "--no-checkpoint"])
    runs = Runs(Objects(store), "walk")
    record = runs.read(runs.resolve("last"))
    client = MlflowClient(uri)
    found = client.search_runs([client.get_experiment_by_name("walk").experiment_id])[0]
    run = found.info.run_id

    assert answer.exit_code == 1  # a walk teaches nothing
    assert "warning" not in answer.stderr
    assert found.info.status == "FINISHED"
    assert found.data.tags["plumbline.run"] == record.id
    assert found.data.params["fit.epochs"] == "2"
    assert found.data.metrics["log_loss"] == pytest.approx(record.metrics["log_loss"])
    curve = [each.value for each in client.get_metric_history(run, "calibration_loss")]
    assert curve == [epoch.calibration for epoch in record.epochs]
    assert {each.path for each in client.list_artifacts(run)} == {"record.json", "report.html"}


def test_mlflow_that_does_not_answer_costs_a_warning(tmp_path):
    """The result is what matters; the exit code is that of the training."""
    bars = write_csv(tmp_path / "walk.csv", walk(900, symbol="default"))
    config = tmp_path / "walk.toml"
    config.write_text(CONFIG.format(source=bars).replace("epochs = 2", "epochs = 1"))
    command = ["train", "--config", str(config), "--store", str(tmp_path / "store"), "--json"]
    command += ["--model", "walk", "--no-checkpoint", "--mlflow", "nothing://here"]
    answer = CliRunner().invoke(app, command)

    assert json.loads(answer.stdout)["version"]
    assert "warning: MLflow at nothing://here did not take the run" in answer.stderr
