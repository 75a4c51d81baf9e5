"""Every training leaves a record, however it ends; an interrupted one can be gone on with."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from typer.testing import CliRunner

from plumbline.cli.main import app
from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry
from plumbline.store.run import RunBegun, RunEnd, RunRecord, Runs
from plumbline.training.checkpoint import Checkpoints
from plumbline.training.config import read_experiment
from plumbline.training.errors import TrainingError
from plumbline.training.record import Recorder
from plumbline.training.run import train
from tests.support.markets import walk, write_csv

CONFIG = """
window_length = 8
[data]
source = "walk.csv"
[label]
kind = "forward_return"
parameters = { horizon_seconds = 21_600, threshold = 0.002 }
[split]
train = 0.4
calibration = 0.2
validation = 0.3
test = 0.1
embargo_seconds = 0
[family]
kind = "tfa"
parameters = { width = 8, heads = 2, layers = 1, hidden = 8, dropout = 0.2 }
[fit]
epochs = 4
patience = 4
batch_size = 8
[policy]
kind = "argmax"
parameters = { cost = 0.1 }
"""
MODEL = "walk"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A configuration and its bars."""
    made = tmp_path_factory.mktemp("runs")
    write_csv(made / "walk.csv", walk(900, symbol="default"))
    (made / "walk.toml").write_text(CONFIG.replace("walk.csv", str(made / "walk.csv")))
    return made


@pytest.fixture(scope="module")
def runs(folder) -> Runs:
    """The shelf of two trainings: one as configured, and one with another seed and one epoch."""
    store = Objects((folder / "store").as_uri())
    for overrides in ((), ("seed=5", "fit.epochs=1")):
        experiment = read_experiment(str(folder / "walk.toml"), overrides)
        recorder = Recorder(store, MODEL, config="<walk>", overrides=overrides)
        train(experiment, store, MODEL, recorder=recorder)
    return Runs(store, MODEL)


def plumbline(folder: Path, *arguments: str):
    """Run a command on that folder's store."""
    store = ("--store", str(folder / "store"))
    return CliRunner().invoke(app, [*arguments, *store], env={"COLUMNS": "250"})


def test_a_training_leaves_all_there_is_to_know(runs, folder):
    """Curves of both parts, times, rows, metrics, the gate's reasons, the bundle and the place."""
    record = runs.read(runs.ids()[-1])
    assert isinstance(record, RunRecord)
    manifest = ModelRegistry(Objects((folder / "store").as_uri()), MODEL).manifest(record.version)

    assert record.end is RunEnd.REFUSED
    assert record.reasons
    assert [epoch.number for epoch in record.epochs] == [1, 2, 3, 4]
    assert record.best_epoch == min(record.epochs, key=lambda e: e.calibration).number
    assert record.experiment == manifest.training
    assert record.rows == manifest.data.rows
    assert record.data_sha256 == manifest.data.sha256
    assert [stage.name for stage in record.stages][:2] == ["reading bars", "fitting"]
    assert sum(stage.seconds for stage in record.stages) == pytest.approx(record.seconds, abs=0.5)
    assert record.environment.libraries["torch"]
    assert record.environment.threads == 1


def test_the_picture_agrees_with_the_metrics(runs):
    """The shares are the gate's, every row is in the histogram, and costs are paid."""
    record = runs.read(runs.ids()[-1])
    picture = record.picture

    assert picture.names == picture.actions == ("SELL", "HOLD", "BUY")
    assert picture.action_shares == pytest.approx(
        [record.metrics[f"share_{name.lower()}"] for name in picture.actions]
    )
    assert all(sum(counts) == picture.rows for counts in picture.histogram.values())
    known = sum(each.rows for each in picture.reliability["HOLD"])
    assert known == record.metrics["rows_labelled"]
    assert picture.equity.cost == pytest.approx(0.1 * 0.002)
    model = picture.equity.lines[0].values[-1]
    paid = picture.equity.turnover * picture.equity.cost
    gross = (picture.equity.break_even or 0.0) * picture.equity.turnover
    assert model == pytest.approx(gross - paid)


def test_the_page_stands_alone(runs):
    """Nothing is fetched, nothing can run, each plot is drawn, and names stay text."""
    page = runs.report(runs.ids()[-1])

    assert not re.search(r"<script|<link|<img|src=|@import|url\(|https?:", page)
    assert "prefers-color-scheme: dark" in page
    assert "<walk>" not in page
    assert "&lt;walk&gt;" in page
    plots = re.findall(r"<svg.*?</svg>", page, re.S)
    assert [ET.fromstring(plot).get("aria-label").split(",")[0] for plot in plots] == [
        "Loss of both parts by epoch",
        "What was",
        "Share of rows by what was said",
        "Cumulated label return of the suggested sizes",
    ]
    assert "hypothetical" in page


def test_what_goes_wrong_is_recorded_too(folder, tmp_path):
    """The message of the error is that of the record; a bundle was not written."""
    store = Objects(tmp_path.as_uri())
    experiment = read_experiment(str(folder / "walk.toml"), ["data.source=absent.csv"])
    with pytest.raises(TrainingError, match="cannot read bars") as caught:
        train(experiment, store, MODEL)
    runs = Runs(store, MODEL)
    record = runs.read("".join(runs.ids()))

    assert isinstance(record, RunRecord)
    assert (record.end, record.message) == (RunEnd.FAILED, str(caught.value))
    assert record.version is None
    assert "cannot read bars" in runs.report(record.id)


def test_list_show_and_compare_say_it(runs, folder, tmp_path):
    """One line a run; all of one run and its page; where two differ."""
    listed = json.loads(plumbline(folder, "runs", "list", "--json").stdout)["runs"]
    newest = listed[-1]
    page = tmp_path / "page.html"
    shown = plumbline(folder, "runs", "show", newest["version"], "--report", str(page), "--json")
    document = json.loads(shown.stdout)
    both = [each["run"] for each in listed]
    compared = json.loads(plumbline(folder, "runs", "compare", *both, "--json").stdout)

    assert [each["ended"] for each in listed] == ["refused", "refused"]
    assert newest["config"] == "<walk> --set seed=5 --set fit.epochs=1"
    assert document["id"] == newest["run"]
    assert page.read_text() == runs.report(newest["run"])
    assert document["report"].endswith(f"runs/walk/{newest['run']}/report.html")
    assert compared["configuration"] == {"seed": [0, 5], "fit.epochs": [4, 1]}
    assert [round(each, 4) for each in compared["metrics"]["log_loss"]] == [
        each["log_loss"] for each in listed
    ]
    for command in (("list",), ("show", "last"), ("compare", *both)):
        answer = plumbline(folder, "runs", *command)

        assert answer.exit_code == 0
        assert newest["run"] in answer.stdout


def test_a_run_that_is_not_there_is_named(runs, folder):
    """With those there are."""
    answer = plumbline(folder, "runs", "show", "2001")

    assert answer.exit_code == 1
    assert f"has no run '2001'; the newest are {runs.ids()[0]}" in answer.stderr


def _train(folder: Path, store: Path, *arguments: str) -> list[str]:
    """Return the command line of a training with its own state."""
    command = [sys.executable, "-P", "-m", "plumbline.cli.main", "train"]
    return [*command, "--store", str(store), "--state", str(folder / "state"), "--json", *arguments]


def _interrupted(command: list[str], state: Path, *, epoch: int, sent: int) -> tuple[int, str]:
    """Start a training, signal it once an epoch is kept; return its exit code and what it said."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not list(state.glob(f"trainings/*/epoch-{epoch:04d}.json")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(sent)
    return process.wait(60), process.communicate()[1].decode()


@pytest.mark.slow
def test_an_interrupted_training_ends_as_if_nothing_had_happened(folder, tmp_path):
    """Stopped by Ctrl-C and once more by SIGTERM: the same files, byte for byte, in the end."""
    store, state = tmp_path / "store", tmp_path / "state"
    asked = ("--config", str(folder / "walk.toml"), "--model", MODEL, "--set", "fit.epochs=40")
    asked += ("--set", "fit.patience=40")
    first = _interrupted(_train(tmp_path, store, *asked), state, epoch=2, sent=signal.SIGINT)
    second = _interrupted(_train(tmp_path, store, "--resume"), state, epoch=6, sent=signal.SIGTERM)
    runs = Runs(Objects(store.as_uri()), MODEL)
    kept = Checkpoints(state).runs()
    third = subprocess.run(_train(tmp_path, store, "--resume"), capture_output=True, check=False)
    whole = subprocess.run(_train(tmp_path, store, *asked), capture_output=True, check=False)
    resumed, plain = (json.loads(each.stdout) for each in (third, whole))
    registry = ModelRegistry(Objects(store.as_uri()), MODEL)
    files = [registry.manifest(each["version"]).files for each in (resumed, plain)]
    ends = [runs.read(run) for run in reversed(runs.ids())]

    assert first[0] == second[0] == 130
    assert re.search(r"after epoch \d+; go on with `plumbline train --resume \S+`", first[1])
    for name in set(files[0]) - {"model.pt", "validation.json"}:
        assert files[0][name] == files[1][name], name
    assert [run.end for run in ends] == [
        *(RunEnd.INTERRUPTED, RunEnd.INTERRUPTED, RunEnd.REFUSED, RunEnd.REFUSED)
    ]
    assert ends[0].continues is None
    assert [run.continues for run in ends[1:3]] == [ends[0].id, ends[1].id]
    assert ends[2].epochs == ends[3].epochs
    assert len(ends[2].epochs) == 40
    assert kept == [ends[1].id]
    assert Checkpoints(state).runs() == []


@pytest.fixture
def checkpointed(folder, tmp_path) -> Path:
    """A state folder with the checkpoint of a training that was stopped in its second epoch."""
    store, state = Objects((tmp_path / "store").as_uri()), tmp_path / "state"
    recorder = Recorder(store, MODEL, checkpoints=Checkpoints(state))

    def stop(what: str, _: float) -> None:
        if "epoch 2" in what:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(
            read_experiment(str(folder / "walk.toml")),
            store,
            MODEL,
            recorder=recorder,
            progress=stop,
        )
    return state


def _resume(tmp_path: Path, *arguments: str):
    common = ("--store", str(tmp_path / "store"), "--state", str(tmp_path / "state"))
    return CliRunner().invoke(app, ["train", "--resume", *common, *arguments])


def test_other_bars_are_not_gone_on_with(folder, checkpointed, tmp_path):
    """What was learnt of some bars is not mixed with others; that is on record, too."""
    checkpoint, state = Checkpoints(checkpointed).load()
    store = Objects((tmp_path / "store").as_uri())
    other = checkpoint.model_copy(update={"data_sha256": "0" * 64})
    with pytest.raises(TrainingError, match="the bars have changed since"):
        train(
            read_experiment(str(folder / "walk.toml")),
            store,
            MODEL,
            recorder=Recorder(store, MODEL, resume=(other, state)),
        )
    runs = Runs(store, MODEL)

    assert [runs.read(run).end for run in runs.ids()].count(RunEnd.FAILED) == 1


def test_a_damaged_checkpoint_is_refused(checkpointed, tmp_path):
    """One byte is enough."""
    path = max(checkpointed.glob("trainings/*/*.safetensors"))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    answer = _resume(tmp_path)

    assert answer.exit_code == 1
    assert "its tensors are damaged; train anew" in answer.stderr


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--seed", "3"), "--seed does not go with --resume"),
        (("--set", "fit.epochs=3"), "--set does not go with --resume"),
        (("2001",), "no interrupted training '2001' can be gone on with"),
        (("--store", "elsewhere"), "say --store"),
    ],
)
def test_a_resumed_training_stays_what_it_was(checkpointed, tmp_path, arguments, reason):
    """What would make it another one is refused."""
    answer = _resume(tmp_path, *arguments)

    assert answer.exit_code == 1
    assert reason in answer.stderr


def test_a_killed_training_is_seen_as_one_that_has_not_ended(folder, tmp_path):
    """There is no record to show, and the list says so."""
    store, state = tmp_path / "store", tmp_path / "state"
    asked = ("--config", str(folder / "walk.toml"), "--model", MODEL)
    _interrupted(_train(tmp_path, store, *asked), state, epoch=1, sent=signal.SIGKILL)
    runs = Runs(Objects(store.as_uri()), MODEL)
    (run,) = runs.ids()

    assert type(runs.read(run)) is RunBegun
    assert "has begun and not ended, or was killed" in plumbline_show(store, run)


def plumbline_show(store: Path, run: str) -> str:
    """Return what `runs show` says."""
    answer = CliRunner().invoke(app, ["runs", "show", run, "--store", str(store)])
    return " ".join(answer.stdout.split())
