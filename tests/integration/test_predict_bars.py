"""`plumbline predict --bars`: each row is what the model would have been shown of it alone."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from plumbline import open_bundle
from plumbline.bundle.moment import SECOND, moment_of
from plumbline.cli.main import app
from plumbline.service.predictor import Predictor
from plumbline.training.window import read_window
from tests.support.bar_files import MS, klines, with_symbol
from tests.support.markets import walk, write_csv

CONFIG = """
window_length = 8
INPUT
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
STEPS = 8


@pytest.fixture(scope="module", params=["features", "bars"])
def folder(request, tmp_path_factory):
    """A model whose columns are computed here, and one whose graph computes them."""
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "both.csv").write_bytes(with_symbol(walk(900, seed=1, symbol="OTHER/USDT"), BARS))
    (folder / "klines.csv").write_bytes(klines(BARS, MS))
    slow = replace(BARS, time=BARS.time[0] + 4 * (BARS.time - BARS.time[0]))
    write_csv(folder / "slow.csv", slow)
    chosen = 'input = "bars"' if request.param == "bars" else ""
    text = CONFIG.replace("FILE", str(folder / "both.csv")).replace("INPUT", chosen)
    (folder / "model.toml").write_text(text)
    store = ("--store", str(folder / "store"), "--model", "walk")
    made = CliRunner().invoke(
        app, ["train", "--config", str(folder / "model.toml"), "--json", *store]
    )
    (folder / "version").write_text(json.loads(made.stdout)["version"])
    return folder


def predict(folder, file, *arguments):
    """Run ``plumbline predict --bars``."""
    store = ("--store", str(folder / "store"), "--version", (folder / "version").read_text())
    return CliRunner().invoke(app, ["predict", str(folder / file), "--bars", *store, *arguments])


def test_every_bar_is_judged_as_it_would_be_alone(folder):
    """The same probabilities as of the window that `plumbline window` sends, to the last bit."""
    out = folder / "out.parquet"
    done = predict(folder, "both.csv", "--symbol", "WALK/USDT", "--out", str(out), "--json")
    bundle = open_bundle((folder / "version").read_text(), store=folder / "store")
    predictor = Predictor.load(bundle)
    table = pq.read_table(out)
    (given,) = bundle.manifest.inputs

    assert done.exit_code == 0, done.output
    assert set(table["symbol"].to_pylist()) == {"WALK/USDT"}
    assert table["time"][-1].as_py() == moment_of(int(BARS.time[-1]))
    assert len(table) > 500
    for row in (len(table) - 1, len(table) // 2, 0):
        time = table["time"][row].as_py()
        at = moment_of(int(time.timestamp()) * SECOND + BARS.interval)
        window = read_window(bundle.manifest, str(folder / "both.csv"), at=at, symbol="WALK/USDT")
        alone = predictor.predict({given.name: window.rows[None].astype(given.dtype)})
        (reading,) = alone.readings.values()
        said = [table[f"probability_{name}"][row].as_py() for name in bundle.manifest.actions]

        assert window.bar_time == int(time.timestamp()) * SECOND
        assert np.allclose(said, reading.centre[0], rtol=0, atol=1e-6)


def test_a_file_without_symbols_gets_the_name_that_is_said(folder):
    """Klines of an exchange, as they come."""
    out = folder / "named.parquet"
    done = predict(folder, "klines.csv", "--symbol", "WALK/USDT", "--out", str(out))

    assert done.exit_code == 0, done.output
    assert set(pq.read_table(out)["symbol"].to_pylist()) == {"WALK/USDT"}


def test_bars_of_another_interval_are_refused(folder):
    """Four hours instead of one, named."""
    done = predict(folder, "slow.csv", "--symbol", "WALK/USDT")

    assert done.exit_code == 1
    assert "last 14400 s, and the model was made for bars of 3600 s" in done.stderr


def test_a_file_of_bars_is_not_taken_for_columns(folder):
    """Without --bars, whether the columns are computed here or in the graph."""
    store = ("--store", str(folder / "store"), "--version", (folder / "version").read_text())
    done = CliRunner().invoke(app, ["predict", str(folder / "both.csv"), *store])

    assert done.exit_code == 1
    assert "say --bars" in done.stderr
