"""`plumbline window`: what it prints is what training would have shown the model."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from plumbline.cli.main import app
from plumbline.service.inputs import build_inputs
from plumbline.service.memory import AnswerMemory
from plumbline.service.schema import PREDICT
from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry
from plumbline.training.bars import as_datetime
from plumbline.training.errors import SuccessionError
from plumbline.training.material import prepare
from plumbline.training.run import train
from plumbline.training.succession import follow
from tests.support.bar_files import MS, klines, with_symbol
from tests.support.markets import HOUR, walk, write_csv

CONFIG = """
window_length = 8
[data]
source = "FILE"
symbol = "WALK/USDT"
[label]
kind = "forward_return"
parameters = { horizon_seconds = 21_600, threshold = 0.002 }
[split]
train = 0.4
calibration = 0.2
validation = 0.4
test = 0.0
embargo_seconds = 0
[family]
kind = "tfa"
parameters = { width = 8, heads = 2, layers = 1, hidden = 8 }
[fit]
epochs = 1
"""
BARS = walk(900, symbol="WALK/USDT")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model of one symbol of a file that has two, and other files of bars."""
    folder = tmp_path_factory.mktemp("window")
    other = walk(900, seed=1, symbol="OTHER/USDT")
    (folder / "both.csv").write_bytes(with_symbol(other, BARS))
    (folder / "klines.csv").write_bytes(klines(BARS, MS))
    (folder / "few.csv").write_bytes(klines(BARS.take(slice(100)), MS))
    (folder / "others.csv").write_bytes(with_symbol(other))
    slow = replace(BARS, time=BARS.time[0] + 4 * (BARS.time - BARS.time[0]))
    write_csv(folder / "slow.csv", slow)
    spiked = replace(BARS, high=np.where(np.arange(900) == 850, 1e9, BARS.high))
    write_csv(folder / "spiked.csv", spiked)
    backwards = BARS.take(np.arange(900)[::-1])
    write_csv(folder / "backwards.csv", backwards)
    (folder / "model.toml").write_text(CONFIG.replace("FILE", str(folder / "both.csv")))
    return folder


@pytest.fixture(scope="module")
def plumbline(folder):
    """Run a `plumbline` command on the store of that folder."""

    def run(*arguments: str):
        store = ("--store", str(folder / "store"), "--model", "walk")
        return CliRunner().invoke(app, [*arguments, *store], env={"COLUMNS": "200"})

    return run


@pytest.fixture(scope="module")
def manifest(folder, plumbline):
    """Of the model, which no gate lets through: a random walk teaches nothing."""
    said = plumbline("train", "--config", str(folder / "model.toml"), "--json")
    registry = ModelRegistry(Objects((folder / "store").as_uri()), "walk")
    return registry.manifest(json.loads(said.stdout)["version"])


@pytest.fixture(scope="module")
def window(folder, plumbline, manifest):
    """Run `plumbline window` on a file of the folder."""

    def run(name: str, *arguments: str):
        path = str(folder / name) if "." in name else name
        return plumbline("window", "--version", manifest.version, "--data", path, *arguments)

    return run


def shown(answer, manifest):
    """Return what the service makes of the printed body: the request and its window."""
    assert answer.exit_code == 0, answer.stderr
    request = PREDICT.decode(answer.stdout.encode())
    (features,) = build_inputs(request, manifest, AnswerMemory(), ["a"]).values()
    return request, features[0]


@pytest.mark.parametrize("name", ["both.csv", "klines.csv"])
def test_the_newest_window_is_what_training_computed(window, manifest, name):
    """The service takes the body; the numbers are those of the training's last row, bit for bit."""
    request, features = shown(window(name), manifest)
    (instance,) = request.instances
    dataset = prepare(follow(manifest)).dataset

    assert np.array_equal(features, dataset.windows(np.array([899]))[0])
    assert (instance.symbol, request.model) == ("WALK/USDT", "walk")
    assert instance.time == as_datetime(int(BARS.time[-1]))
    assert request.features_hash == manifest.inputs[0].sha256


def test_an_earlier_moment_sees_the_bars_that_had_closed(window, manifest):
    """A bar that closes a second later is not there yet."""
    close = as_datetime(int(BARS.time[500]) + HOUR)
    request, features = shown(window("klines.csv", "--at", close.isoformat()), manifest)
    _, before = shown(
        window("klines.csv", "--at", close.replace(hour=close.hour - 1, minute=59).isoformat()),
        manifest,
    )
    dataset = prepare(follow(manifest)).dataset

    assert request.instances[0].time == as_datetime(int(BARS.time[500]))
    assert np.array_equal(features, dataset.windows(np.array([500]))[0])
    assert np.array_equal(before, dataset.windows(np.array([499]))[0])


@pytest.mark.parametrize(
    ("name", "arguments", "reason"),
    [
        (
            "few.csv",
            (),
            "100 bars of WALK/USDT until 2020-01-05 03:00, expected 128, the 8 of a win",
        ),
        ("few.csv", ("--at", "2019-01-01"), "no bar of WALK/USDT had closed by 2019-01-01 00:00"),
        ("slow.csv", (), "bars of WALK/USDT last 14400 s, and walk"),
        ("others.csv", (), "no bars of ['WALK/USDT'] among the 1 symbols of the file; there are"),
        ("both.csv", ("--symbol", "WALKUSDT"), "symbol 'WALKUSDT' is unknown"),
        (
            "spiked.csv",
            (),
            "1 spikes, the first in row 852 (2020-02-05 10:00): high is 1e+09 after",
        ),
        (
            "backwards.csv",
            (),
            "time is before that of row 2 (2020-02-07 11:00), expected the oldest",
        ),
        ("absent.csv", (), "cannot read bars from"),
    ],
)
def test_what_cannot_be_a_window_is_said(window, name, arguments, reason):
    """On stderr, with what was found and what was expected; nothing on stdout."""
    answer = window(name, *arguments)

    assert answer.exit_code == 1
    assert reason in answer.stderr
    assert answer.stdout == ""


def test_a_model_that_is_not_there_is_said(folder, plumbline, manifest):
    """With the one that was probably meant."""
    answer = CliRunner().invoke(
        app, ["window", "--data", "x.csv", "--store", str(folder / "store"), "--model", "wlak"]
    )

    assert manifest.name == "walk"
    assert answer.exit_code == 1
    assert "there is no model wlak" in answer.stderr
    assert "did you mean walk?" in answer.stderr


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"symbol": "OTHER/USDT", "symbols": ()}, "its symbols are OTHER/USDT, expected WALK/USDT"),
        ({"source": "slow.csv"}, "its bars last 14400 s, expected 3600 s"),
    ],
)
def test_a_training_does_not_start_from_another_market(folder, manifest, change, reason):
    """Weights taught on one symbol or interval are refused to the bars of another."""
    if "source" in change:
        change = {"source": str(folder / change["source"])}
    experiment = follow(manifest).changed(data=change)
    objects = Objects((folder / "store").as_uri())

    with pytest.raises(SuccessionError, match=reason):
        train(experiment, objects, "walk", parent=manifest.version)


def test_silent_bars_teach_nothing(folder):
    """Without volume in any bar, two columns would stand still: training names them."""
    path = write_csv(folder / "silent.csv", replace(BARS, volume=np.zeros(900)))
    (folder / "silent.toml").write_text(CONFIG.replace("FILE", str(path)))
    answer = CliRunner().invoke(
        app, ["train", "--config", str(folder / "silent.toml"), "--store", str(folder / "store")]
    )

    assert answer.exit_code == 1
    assert "the volume is 0 in all 900 bars" in answer.stderr


def test_a_symbol_is_chosen_on_the_command_line(folder, plumbline, manifest):
    """`--symbol` filters a file of several; a misspelt one is answered with the nearest."""
    answer = plumbline(
        "train", "--config", str(folder / "model.toml"), "--symbol", "OTHERUSDT", "--json"
    )

    assert manifest.data.symbols == ("WALK/USDT",)
    assert answer.exit_code == 1
    assert "the nearest are OTHER/USDT" in answer.stderr
