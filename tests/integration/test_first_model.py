"""How a store comes to its first model by itself: made or imported once, awaited by the others."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from plumbline.cli.main import app
from plumbline.cli.registry import await_models
from plumbline.store.errors import NotFoundError
from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry
from tests.support.bundles import small_bundle

MODEL = "eurusd-1h"


@pytest.fixture
def store(tmp_path, monkeypatch):
    """An empty store, named by the environment."""
    url = (tmp_path / "store").as_uri()
    monkeypatch.setenv("PLUMBLINE_STORE", url)
    return Objects(url)


@pytest.fixture
def packed(tmp_path):
    """Write a bundle into a folder, as it lies in a store."""

    def write(**what):
        manifest, files = small_bundle(**what)
        elsewhere = ModelRegistry(Objects((tmp_path / "elsewhere").as_uri()), manifest.name)
        bundle = elsewhere.write(manifest, files)
        return tmp_path / "elsewhere" / "models" / manifest.name / "versions" / bundle.version

    return write


def run(*arguments):
    """Run a command; return its exit code, what it printed, and its error."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


def test_a_bundle_is_imported_and_promoted_once(store, packed):
    """The second time the model has a champion, and nothing happens."""
    command = (
        "models",
        "import",
        packed(),
        "--model",
        MODEL,
        "--promote",
        "--if-missing",
        "--json",
    )
    first, second = (json.loads(run(*command)[1]) for _ in range(2))
    history = ModelRegistry(store, MODEL).history()

    assert first["promoted"] is True
    assert second == {"model": MODEL, "champion": first["version"], "done": False}
    assert [made.value.version for made in history] == [first["version"]]


def test_an_imported_bundle_must_have_passed_its_gate(store, packed):
    """It is kept, but does not become the champion."""
    code, _, error = run("models", "import", packed(passed=False), "--promote")
    registry = ModelRegistry(store, MODEL)

    assert code == 1
    assert "did not pass its gate" in error
    assert registry.alias() is None
    assert len(registry.versions()) == 1


def test_a_damaged_bundle_is_not_imported(store, packed):
    """Every byte is checked before the first is written."""
    folder = packed()
    (folder / "model.onnx").write_bytes(b"something else")
    code, _, error = run("models", "import", folder)

    assert code == 1
    assert "model.onnx" in error
    assert ModelRegistry(store, MODEL).versions() == []


def test_what_is_no_bundle_or_another_model_is_refused(store, packed, tmp_path):
    """The message says what was expected."""
    empty = run("models", "import", tmp_path)
    other = run("models", "import", packed(), "--model", "gold")

    assert empty[0] == other[0] == 1
    assert "manifest.json: expected a bundle, No such file or directory" in empty[2]
    assert f"is a bundle of {MODEL}, not of gold" in other[2]


def test_a_model_that_is_there_is_not_trained_again(store):
    """The command ends before it reads a configuration."""
    registry = ModelRegistry(store, MODEL)
    version = registry.write(*small_bundle()).version
    registry.promote(version, actor="anna", reason="first")
    code, out, _ = run("train", "--config", "nowhere.toml", "--if-missing")

    assert code == 0
    assert out == f"{MODEL} has a champion, {version}: nothing to do\n"


def test_other_models_are_no_reason_to_refuse_one_that_is_to_come(store):
    """Typed by a person it is a slip; in a cluster its training may still run."""
    ModelRegistry(store, MODEL).write(*small_bundle())

    with pytest.raises(NotFoundError, match="there is no model gold"):
        await_models(store.url, ["gold"])
    await_models(store.url, ["gold"], patient=True)
