"""`plumbline accept-inputs`: what was meant goes on record, and people can see it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from plumbline.cli.main import app
from plumbline.store.acceptance import Acceptances
from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry
from tests.support.bundles import small_bundle


@pytest.fixture
def store(tmp_path: Path) -> Objects:
    """A store with a champion."""
    objects = Objects((tmp_path / "store").as_uri())
    registry = ModelRegistry(objects, "eurusd-1h")
    version = registry.write(*small_bundle()).version
    registry.promote(version, actor="a person", reason="a test")
    return objects


def run(store: Objects, *arguments: str) -> Result:
    """Run a command on the store."""
    return CliRunner().invoke(app, [*arguments, "--store", store.url], env={"COLUMNS": "200"})


def test_it_goes_on_record_and_is_shown(store: Objects) -> None:
    """Who, when, why, and whose inputs."""
    champion = ModelRegistry(store, "eurusd-1h").resolve("champion")
    said = run(
        store,
        *("accept-inputs", "eurusd-1h", "--symbol", "EURUSD", "--client", "desk-2"),
        *("--reason", "windows come from the new feed", "--actor", "ada"),
    )
    shown = run(store, "models", "show")
    whole = json.loads(run(store, "models", "show", "--json").stdout)
    (made,) = Acceptances(store, "eurusd-1h").since(champion)

    assert said.exit_code == 0, said.stderr
    assert f"eurusd-1h {champion}: inputs accepted, of EURUSD, from desk-2 (no. 1)" in said.stdout
    assert (made.value.actor, made.value.symbols) == ("ada", ("EURUSD",))
    assert "by ada, EURUSD, desk-2: windows come from the new feed" in shown.stdout
    assert whole["accepted_inputs"][0]["clients"] == ["desk-2"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("eurusd-1h", "--reason", " "), "neither can be empty"),
        (("eurusd", "--reason", "x"), "there is no model eurusd"),
        (("eurusd-1h", "--reason", "x", "--version", "absent"), "absent"),
    ],
)
def test_what_cannot_be_recorded_is_said(
    store: Objects, arguments: tuple[str, ...], reason: str
) -> None:
    """On stderr; nothing is written."""
    said = run(store, "accept-inputs", *arguments)

    assert said.exit_code == 1
    assert reason in said.stderr
    assert Acceptances(store, "eurusd-1h").history() == []
