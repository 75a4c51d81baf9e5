"""The example package installs, is listed, keeps its promises and trains."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry
from tests.support.declared import ROOT

EXAMPLE = ROOT / "examples" / "own_family"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with the example installed into it, as pip does without a network."""
    folder = tmp_path_factory.mktemp("site")
    source = folder / "source"
    source.mkdir()
    for name in ("own_family.py", "pyproject.toml"):
        (source / name).write_bytes((EXAMPLE / name).read_bytes())
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, *offline, "--target", str(folder / "site"), str(source)], check=True)
    return folder / "site"


def run(site, *command: str) -> subprocess.CompletedProcess[str]:
    """Run Python where the example is installed."""
    path = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-P", *command],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_is_listed_with_its_version(site):
    """All three, and none is broken."""
    done = run(site, "-m", "plumbline.cli.main", "plugins", "--json")
    found = [each for each in json.loads(done.stdout) if each["source"] == "own-family 0.1.0"]

    assert done.returncode == 0, done.stderr
    assert [(each["kind"], each["name"]) for each in found] == [
        ("feature_sets", "momentum"),
        ("labels", "tails"),
        ("families", "linear"),
    ]


def test_its_own_test_passes(site):
    """As a program, so that no test runner is needed."""
    done = run(site, str(EXAMPLE / "test_own_family.py"))

    assert done.returncode == 0, done.stderr


def test_a_model_is_trained_with_it(site, tmp_path):
    """The gate judges it like any other, and the manifest names the package."""
    done = run(
        site,
        *("-m", "plumbline.cli.main", "train", "--json", "--config", str(EXAMPLE / "own.toml")),
        *("--store", str(tmp_path), "--model", "own"),
    )
    said = json.loads(done.stdout)
    manifest = ModelRegistry(Objects(tmp_path.as_uri()), "own").open(said["version"]).manifest

    assert said["verdict"], done.stderr
    assert (manifest.family, manifest.label.kind) == ("linear", "tails")
    assert manifest.feature_set is not None
    assert manifest.feature_set.names[:2] == ("return_1", "return_2")
    assert manifest.training["plugins"] == [
        {"name": "own_family", "version": "0.1.0", "sha256": None}
    ]
