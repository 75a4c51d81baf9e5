"""The command as a shell runs it: version, completion, pipes, and what is said of a slip."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest

import plumbline
from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry
from tests.support.bundles import small_bundle
from tests.support.declared import ROOT
from tests.support.markets import walk, write_csv
from tests.support.served import free_ports

COMMAND = (sys.executable, "-P", "-m", "plumbline.cli.main")
READERS = (
    ("models", "list"),
    ("models", "history"),
    ("models", "show"),
    ("models", "verify"),
    ("diagnose", "predictions", "live"),
    ("calibrate", "--version", "champion"),
    ("retrain", "true"),
    ("window", "--data", "x.csv"),
    ("serve", "--model", "eurusd-1h"),
    ("monitor",),
)


def run(*arguments, folder, **environment):
    """Run the command in a folder, into pipes."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def store(tmp_path):
    """A store with two bundles of one model, the second its champion."""
    url = (tmp_path / "store").as_uri()
    registry = ModelRegistry(Objects(url), "eurusd-1h")
    for seed in range(2):
        made = registry.write(*small_bundle(seed=seed))
        registry.promote(made.version, actor="anna@a-host-with-a-long-name", reason="because " * 20)
    return url


def test_the_version_is_that_of_the_package(tmp_path):
    """One line, nothing else."""
    said = run("--version", folder=tmp_path)

    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout == f"plumbline {plumbline.__version__}\n"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("plumbline train --config btc", {"btc-1h"}),
        ("plumbline drill fro", {"frozen-feed"}),
        ("plumbline models show --store {store} --model eur", {"eurusd-1h"}),
        ("plumbline models show --store {store}-not --model eur", set()),
    ],
)
def test_the_shell_completes_names(tmp_path, store, words, expected):
    """Of configurations, drills and models; a store that is not there offers none."""
    words = words.format(store=store)
    said = run(
        folder=tmp_path,
        _PLUMBLINE_COMPLETE="complete_bash",
        COMP_WORDS=words,
        COMP_CWORD=str(len(words.split()) - 1),
    )

    assert (said.returncode, set(said.stdout.split())) == (0, expected)


def test_the_completion_script_can_be_shown_and_installed(tmp_path):
    """For the shell that asks; nothing outside the home folder is touched."""
    shown = run(
        "--show-completion",
        "bash",
        folder=tmp_path,
        _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1",
    )
    installed = run(
        "--install-completion",
        "bash",
        folder=tmp_path,
        HOME=str(tmp_path),
        _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1",
    )

    assert "_PLUMBLINE_COMPLETE=complete_bash" in shown.stdout
    assert installed.returncode == 0
    assert "plumbline" in (tmp_path / ".bashrc").read_text()


def test_tables_in_a_pipe_are_whole(tmp_path, store):
    """No cell is cut or broken, whatever the width of a terminal that is not there."""
    said = run("models", "history", "--store", store, folder=tmp_path, COLUMNS="40")
    champion = ModelRegistry(Objects(store), "eurusd-1h").alias()

    assert champion is not None
    assert len(said.stdout.splitlines()) == 3
    assert re.search(rf"{champion.value.version}  .*  anna@a-host-with-a-long-name", said.stdout)
    assert ("because " * 20).strip() in said.stdout
    assert "…" not in said.stdout


@pytest.mark.parametrize("command", READERS, ids=" ".join)
def test_a_store_that_is_not_there_is_said_and_not_made(tmp_path, command):
    """Whoever reads makes nothing."""
    said = run(*command, "--store", tmp_path / "absent", folder=tmp_path)

    assert said.returncode == 1
    assert "there is no store at file://" in said.stderr
    assert "`plumbline train` makes one" in said.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", READERS, ids=" ".join)
def test_an_unknown_model_is_said_with_the_near_one(tmp_path, store, command):
    """At once, before anything listens or waits."""
    arguments = [word for word in command if word not in ("--model", "eurusd-1h")]
    ports = [("--port", str(port)) for port in free_ports(1)]
    given = ports[0] if command[0] in ("serve", "monitor") else ()
    said = run(*arguments, "--store", store, "--model", "eurusd1h", *given, folder=tmp_path)

    assert said.returncode == 1
    assert "there is no model eurusd1h in file://" in said.stderr
    assert "did you mean eurusd-1h?" in said.stderr


def test_a_mistyped_store_is_recognised(tmp_path, store):
    """Where a folder beside it has nearly that name."""
    said = run("models", "list", "--store", tmp_path / "stroe", folder=tmp_path)

    assert said.returncode == 1
    assert f"did you mean {store}?" in said.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "meant"),
    [
        (("train", "--config", "btc1h"), 1, "did you mean btc-1h?"),
        (("up", "--config", "btc1h", "--state", "s"), 1, "did you mean btc-1h?"),
        (("drill", "frozenfeed"), 2, "did you mean frozen-feed?"),
    ],
)
def test_near_names_are_said(tmp_path, arguments, code, meant):
    """Of configurations and drills."""
    said = run(*arguments, folder=tmp_path, COLUMNS="300")

    assert said.returncode == code
    assert meant in said.stderr


def test_a_training_without_a_terminal_tells_its_steps(tmp_path):
    """In plain lines on stderr, without control characters; stdout is the result's alone."""
    write_csv(tmp_path / "walk.csv", walk(900, symbol="default"))
    from tests.integration.test_training_command import CONFIG

    (tmp_path / "walk.toml").write_text(CONFIG)
    said = run(
        *("train", "--config", "walk.toml", "--data", "walk.csv", "--store", "store", "--json"),
        folder=tmp_path,
    )
    steps = [line.split("%  ")[1].split(",")[0] for line in said.stderr.splitlines() if "%" in line]

    assert steps[:3] == ["reading bars", "fitting", "fitting"] or steps[:2] == [
        "reading bars",
        "fitting",
    ]
    assert {"calibrating", "exporting", "judging", "writing the bundle"} <= set(steps)
    assert "\x1b" not in said.stderr
    assert said.stdout.startswith("{")


def test_a_monitor_may_be_there_before_its_first_model(tmp_path):
    """An empty store is no slip of the hand: it says what it waits for, and listens."""
    (tmp_path / "store").mkdir()
    port = free_ports(1)[0]
    with subprocess.Popen(
        [*COMMAND, "monitor", "--store", str(tmp_path / "store"), "--port", str(port)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as monitor:
        assert monitor.stdout is not None
        lines = [json.loads(monitor.stdout.readline()) for _ in range(2)]
        monitor.terminate()

    assert [line["event"] for line in lines] == ["model_awaited", "monitor_started"]
    assert lines[0]["hint"] == "make one with `plumbline train`"
