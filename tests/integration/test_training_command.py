"""The commands: what they print, to which stream, with which exit code."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from plumbline.cli.main import app
from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry
from tests.support.markets import walk, write_csv

CONFIG = """
window_length = 8
[data]
source = "eurusd-1h"
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
parameters = { width = 8, heads = 2, layers = 1, hidden = 8 }
[fit]
epochs = 1
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A configuration, a random walk of 900 bars, and room for a store."""
    folder = tmp_path_factory.mktemp("command")
    (folder / "walk.toml").write_text(CONFIG)
    write_csv(folder / "walk.csv", walk(900, symbol="default"))
    return folder


@pytest.fixture(scope="module")
def plumbline(folder):
    """Run a `plumbline` command on that folder."""

    def run(*arguments: str):
        return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})

    return run


@pytest.fixture(scope="module")
def refused(folder, plumbline):
    """The answer to a training on the walk, which no gate lets through."""
    return plumbline(
        *("train", "--config", str(folder / "walk.toml"), "--data", str(folder / "walk.csv")),
        *(
            "--store",
            str(folder / "store"),
            "--model",
            "walk",
            "--seed",
            "3",
            "--promote",
            "--json",
        ),
    )


def test_a_refused_training_prints_its_result_and_fails(folder, refused):
    """One JSON document on stdout, the reasons on stderr, exit code 1, and the bundle is there."""
    said = json.loads(refused.stdout)

    assert refused.exit_code == 1
    assert {"version", "passed", "verdict", "reasons", "metrics", "seconds"} <= set(said)
    assert said["passed"] is False
    assert said["reasons"][0] in refused.stderr
    registry = ModelRegistry(Objects((folder / "store").as_uri()), "walk")
    assert registry.versions() == [said["version"]]
    assert registry.manifest(said["version"]).seed == 3
    assert registry.alias() is None


def test_a_bundle_can_be_refitted(folder, plumbline, refused):
    """`calibrate` prints the same form of document; its parent is the version refitted."""
    version = json.loads(refused.stdout)["version"]
    answer = plumbline(
        *("calibrate", "--store", str(folder / "store"), "--model", "walk"),
        *("--version", version, "--json"),
    )
    said = json.loads(answer.stdout)

    assert said["parent"] == version
    assert said["passed"] == (answer.exit_code == 0)


def test_the_held_out_bars_are_written(folder, plumbline):
    """`replay-data` says how many, and the file holds them."""
    out = folder / "replay.npz"
    answer = plumbline(
        *("replay-data", "--config", str(folder / "walk.toml"), "--out", str(out)),
        *("--data", str(folder / "walk.csv"), "--json"),
    )

    assert answer.exit_code == 0
    assert json.loads(answer.stdout)["held_out"] == 90
    with np.load(out, allow_pickle=False) as data:
        assert len(data["bar_time"]) - int(data["first"]) == 90


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (("--config", "nonsense"), 1, "cannot read the configuration 'nonsense'"),
        (("--data", "absent.csv"), 1, "absent.csv: [Errno 2] No such file"),
        (("--loss", "hinge"), 1, "loss.kind is 'hinge', expected one of"),
        (("--parent", "0123456789abcdef"), 1, "has no version 0123456789abcdef"),
        (("--until", "yesterday"), 2, "expected a time like 2017-09-01T12:00:00Z"),
        (("--until", "2016-01-01T00:00:00Z"), 1, "no bar had closed by 2016-01-01 00:00"),
    ],
)
def test_a_mistake_is_explained(folder, plumbline, arguments, code, reason):
    """On stderr, without a traceback; nothing on stdout."""
    answer = plumbline(
        *("train", "--config", str(folder / "walk.toml"), "--store", str(folder / "other")),
        *arguments,
    )

    assert answer.exit_code == code
    assert reason in " ".join(answer.stderr.replace("│", " ").split())
    assert answer.stdout == ""


def test_a_replay_needs_something_held_out(folder, plumbline):
    """A configuration without a test part says so."""
    whole = (folder / "walk.toml").read_text().replace("test = 0.1", "test = 0.0")
    (folder / "whole.toml").write_text(whole.replace("validation = 0.3", "validation = 0.4"))
    answer = plumbline(
        *("replay-data", "--config", str(folder / "whole.toml"), "--out", str(folder / "no.npz"))
    )

    assert answer.exit_code == 1
    assert "no test part to replay" in answer.stderr
