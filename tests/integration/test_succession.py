"""A retrain follows the version it replaces: its bars, from whatever folder it is started."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from plumbline.bundle.finding import Diagnosis, Verdict
from plumbline.bundle.manifest import Manifest
from plumbline.bundle.market import Market
from plumbline.cli.main import app
from plumbline.monitoring.repair.command import calibrate_arguments, train_arguments
from plumbline.monitoring.repair.situation import Situation
from plumbline.monitoring.settings import MonitoringSettings
from plumbline.monitoring.watching.judgement import Judgement
from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry
from tests.support.experiments import small_experiment
from tests.support.markets import walk, write_csv

MODEL = "btc-1h"


@dataclass
class House:
    """Where a model was trained, and somewhere else."""

    home: Path
    away: Path
    version: str

    @property
    def registry(self) -> ModelRegistry:
        """The bundles."""
        return ModelRegistry(Objects((self.home / "store").as_uri()), MODEL)

    @property
    def situation(self) -> Situation:
        """The first version serves and is flat."""
        champion = self.registry.promote(self.version, actor="a", reason="a test", force=True)
        diagnosis = Diagnosis(verdict=Verdict.FLAT, cause="c", n=1)
        return Situation(MODEL, champion, Judgement(diagnosis, "row-1", 1, 1))

    @property
    def settings(self) -> MonitoringSettings:
        """Of a monitor that has been told nothing of training."""
        return MonitoringSettings.load(store=(self.home / "store").as_uri(), model=MODEL)


def plumbline(*arguments: str) -> tuple[dict[str, object], str]:
    """Run a command; return the JSON it printed, empty if none, and its standard error."""
    answer = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "300"})
    said = json.loads(answer.stdout) if answer.stdout.strip() else {}
    return said, " ".join(answer.stderr.replace("│", " ").split())


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model of a made-up BTC, trained from a path that is relative to its folder."""
    home = tmp_path_factory.mktemp("home")
    write_csv(home / "bars.csv", walk(900, seed=7, step=0.002))
    (home / "btc.toml").write_text(small_experiment("bars.csv", symbol="BTC", seed=3))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        said, _ = plumbline(
            *("train", "--config", "btc.toml", "--store", "store", "--model", MODEL, "--json")
        )
    return home, str(said["version"])


@pytest.fixture
def house(trained, tmp_path, monkeypatch) -> House:
    """Everything from here on happens in another folder."""
    home, version = trained
    monkeypatch.chdir(tmp_path)
    return House(home, tmp_path, version)


def manifest_of(house: House, said: dict[str, object]) -> Manifest:
    """Return the manifest of what a command wrote."""
    return house.registry.manifest(str(said["version"]))


def test_a_relative_path_is_recorded_as_an_absolute_one(house):
    """In the data and in the configuration."""
    manifest = house.registry.manifest(house.version)

    assert manifest.data.source == str(house.home / "bars.csv")
    assert manifest.training["data"]["source"] == str(house.home / "bars.csv")


def test_the_monitors_retrain_is_of_the_same_market(house):
    """From another folder, with no configuration at hand, it reads the very same bars."""
    said, _ = plumbline(*train_arguments(house.settings, house.situation, attempt=1, warm=False))
    first, second = house.registry.manifest(house.version), manifest_of(house, said)

    assert second.version != first.version
    assert second.data.sha256 == first.data.sha256
    assert Market.of(second) == Market.of(first)
    assert second.data.symbols == ("BTC",)
    assert (second.seed, second.family_parameters) == (3, first.family_parameters)


def test_the_second_attempt_has_another_loss_and_else_the_same(house):
    """The rungs of the ladder change what the manifest says, not a default."""
    said, _ = plumbline(*train_arguments(house.settings, house.situation, attempt=2, warm=False))
    first, second = house.registry.manifest(house.version), manifest_of(house, said)

    assert (second.seed, second.loss.kind) == (3, "logit_adjusted")
    assert Market.of(second) == Market.of(first)


def test_the_monitors_refit_is_of_the_same_market(house):
    """`plumbline calibrate` takes the bars from the manifest as well."""
    arguments = calibrate_arguments(house.settings, house.situation, version=house.version)
    said, _ = plumbline(*arguments)
    first, second = house.registry.manifest(house.version), manifest_of(house, said)

    assert (said["parent"], Market.of(second)) == (house.version, Market.of(first))


def test_a_retrain_of_a_retrain_does_not_stop_where_that_stopped(house):
    """Without a newest bar to go by, it uses all there are by now, not those of last time."""
    target = ("--store", str(house.home / "store"), "--model", MODEL, "--json")
    early = ("--until", "2020-01-26T00:00:00Z")
    old, _ = plumbline("train", "--like", house.version, *early, *target)
    new, _ = plumbline("train", "--like", str(old["version"]), *target)

    assert old["rows"]["read"] == 600
    assert new["rows"]["read"] == 900


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--config", "eurusd-1h"), "its symbols are EURUSD, expected BTC"),
        (("--data", "eurusd-1h"), "no bars of ['BTC']"),
        (("--data", "other.csv"), "its bars come from"),
    ],
)
def test_another_market_is_no_successor(house, arguments, reason):
    """Refused before anything is learnt; nothing is written."""
    shutil.copy(house.home / "bars.csv", house.away / "other.csv")
    before = house.registry.versions()
    said, error = plumbline(
        *("train", "--like", house.version, *arguments),
        *("--store", str(house.home / "store"), "--model", MODEL, "--json"),
    )

    assert said == {}
    assert reason in error
    assert house.registry.versions() == before


def test_bars_of_another_length_are_no_successor(house, tmp_path):
    """The same file under the same name, now with every second bar left out."""
    kept = (house.home / "bars.csv").read_text()
    lines = kept.splitlines()
    (house.home / "bars.csv").write_text("\n".join([lines[0], *lines[1::2]]) + "\n")
    try:
        _, error = plumbline(
            *("train", "--like", house.version),
            *("--store", str(house.home / "store"), "--model", MODEL, "--json"),
        )
        _, refit_error = plumbline(
            *("calibrate", "--version", house.version),
            *("--store", str(house.home / "store"), "--model", MODEL, "--json"),
        )
    finally:
        (house.home / "bars.csv").write_text(kept)

    assert "its bars last 7200 s, expected 3600 s" in error
    assert "its bars last 7200 s, expected 3600 s" in refit_error
