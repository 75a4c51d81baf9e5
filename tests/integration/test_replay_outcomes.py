"""`plumbline replay-outcomes`: what came of logged predictions, worked out from bars and told."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from plumbline.bundle.archive import Bundle
from plumbline.cli.main import app
from plumbline.store.objects import Objects
from plumbline.store.outcome import OutcomeLog
from plumbline.store.registry import ModelRegistry
from tests.support.bundles import small_bundle
from tests.support.control import MODEL
from tests.support.recomputed import ROWS, SYMBOL, WALK, Client, train_walk
from tests.support.sent import log_inputs

HORIZON_BARS, THRESHOLD = 6, 0.002


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, Path]:
    """A model of one symbol, and the file it was made from."""
    return train_walk(tmp_path_factory.mktemp("trained"))


@pytest.fixture
def client(trained: tuple[Bundle, Path], tmp_path: Path) -> Client:
    """A client that has asked about the newest bars, in a store of its own."""
    bundle, path = trained
    objects = Objects((tmp_path / "store").as_uri())
    ModelRegistry(objects, MODEL).write(bundle.manifest, dict(bundle.files))
    client = Client(objects, bundle, WALK, path)
    client.send(client.table)
    return client


def replay(client: Client, *arguments: str):
    """Run the command on the client's store."""
    told = ("--store", client.objects.url, "--version", client.bundle.version, "--json")
    return CliRunner().invoke(app, ["replay-outcomes", MODEL, *told, *arguments])


def test_what_came_is_what_the_label_of_the_training_says(client):
    """Each bar's own return decides; the last six bars have none yet, and telling twice is once."""
    said = replay(client, "--data", str(client.path))
    again = replay(client)
    outcomes = OutcomeLog(client.objects, MODEL).read()
    close = WALK.close[-ROWS:]
    returns = close[HORIZON_BARS:] / close[:-HORIZON_BARS] - 1
    named = np.where(returns > THRESHOLD, "BUY", np.where(returns < -THRESHOLD, "SELL", "HOLD"))

    assert said.exit_code == again.exit_code == 0, said.stderr
    summary = json.loads(said.stdout)
    assert summary["outcomes"] == ROWS - HORIZON_BARS == len(outcomes)
    assert (summary["unknown"], summary["without_bar"]) == (HORIZON_BARS, 0)
    assert sorted(outcomes.label) == sorted(named)
    assert np.allclose(np.sort(outcomes.value), np.sort(returns))
    assert (outcomes.known_at <= outcomes.received).all()


def test_predictions_of_no_known_bar_are_counted(client):
    """Of another symbol, or of a moment that the file does not have."""
    time = WALK.time[-3:].tolist()
    log_inputs(client.objects, client.bundle, client.table[-3:], time, symbol="OTHER/USDT")
    log_inputs(client.objects, client.bundle, client.table[-1:], [time[0] + 1], symbol=SYMBOL)
    summary = json.loads(replay(client).stdout)

    assert summary["predictions"] == ROWS + 4
    assert summary["without_bar"] == 4


def test_a_service_that_is_not_there_is_named(client):
    """The exit code is 1, and nothing has been told."""
    said = replay(client, "--url", "http://127.0.0.1:9")

    assert said.exit_code == 1
    assert "127.0.0.1:9" in said.stderr
    assert len(OutcomeLog(client.objects, MODEL).read()) == 0


def test_what_a_packed_model_s_truth_means_is_its_owner_s(tmp_path):
    """Its manifest holds no label that could be computed."""
    objects = Objects((tmp_path / "store").as_uri())
    version = ModelRegistry(objects, MODEL).write(*small_bundle(MODEL)).version
    told = ("--store", objects.url, "--version", version)
    said = CliRunner().invoke(app, ["replay-outcomes", MODEL, *told])

    assert said.exit_code == 1
    assert "send outcomes to POST /outcomes yourself" in said.stderr
