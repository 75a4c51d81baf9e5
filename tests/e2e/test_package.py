"""The wheel in an empty environment, run from a folder that is full of traps."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
import zipfile

import httpx
import pytest

from plumbline.cli.kinship import members
from tests.support.declared import ROOT
from tests.support.packaging import build, copy_sources, install
from tests.support.served import free_ports, promoted
from tests.support.upped import wait_until

TRAP = "raise SystemExit('a file of the present folder was run: ' + __file__)\n"
ROOMS = sorted(link.name for link in (ROOT / "plumbline").iterdir() if link.is_symlink())


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """A copy of the sources."""
    return copy_sources(tmp_path_factory.mktemp("build") / "sources")


@pytest.fixture(scope="module")
def wheel(sources):
    """The wheel built from them."""
    return build("wheel", sources, sources.parent / "dist")


@pytest.fixture(scope="module")
def programs(wheel, tmp_path_factory):
    """The folder of programs of an environment that holds the wheel."""
    return install(wheel, tmp_path_factory.mktemp("stranger") / "venv")


@pytest.fixture(scope="module")
def traps(tmp_path_factory):
    """A folder in which every import of ours, if it looked there, would end the program."""
    folder = tmp_path_factory.mktemp("traps")
    for name in (*ROOMS, "plumbline", "bentoml", "typer"):
        (folder / name).mkdir()
        for file in ("__init__.py", "main.py", "app.py"):
            (folder / name / file).write_text(TRAP)
    for name in ("plumbline.py", "sitecustomize.py", "numpy.py"):
        (folder / name).write_text(TRAP)
    return folder


def environment():
    """What a stranger's shell has: nothing that points at the repository."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {name: value for name, value in kept.items() if not name.startswith("PLUMBLINE")}


def test_the_wheel_holds_one_package_with_real_rooms(wheel):
    """Nothing but `plumbline` lands in the environment, and every file of a room is there."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        top = {name.split("/")[0] for name in names}
        links = [entry for entry in archive.infolist() if (entry.external_attr >> 28) == 0xA]
    expected = {
        f"plumbline/{path.relative_to(ROOT)}"
        for room in ROOMS
        for path in (ROOT / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert {name for name in top if not name.endswith(".dist-info")} == {"plumbline"}
    assert links == []
    assert expected <= names, sorted(expected - names)


def test_the_source_archive_makes_the_same_wheel(sources, wheel, tmp_path):
    """Whoever builds from the archive gets what we give."""
    archive = build("sdist", sources, tmp_path)
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path, filter="data")
    again = build("wheel", next(p for p in tmp_path.iterdir() if p.is_dir()), tmp_path / "again")
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(again) as other:
        assert sorted(one.namelist()) == sorted(other.namelist())


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--version",), "plumbline "),
        (("train", "--help"), "--config"),
        (("models", "list", "--json"), "eurusd-1h"),
        (("plugins", "--json"), "built-in"),
    ],
)
def test_commands_run_from_a_folder_of_traps(programs, traps, tmp_path, arguments, expected):
    """None of them imports what lies there."""
    promoted((tmp_path / "store").as_uri())
    done = subprocess.run(
        [programs / "plumbline", *arguments],
        cwd=traps,
        env={**environment(), "PLUMBLINE_STORE": str(tmp_path / "store"), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert expected in done.stdout


def test_a_whole_system_runs_from_a_folder_of_traps(programs, traps, tmp_path):
    """Service, workers, monitor and their children: all from the wheel."""
    state = tmp_path / "state"
    promoted((state / "store").as_uri())
    ports = free_ports(3)
    options = zip(("--port", "--monitor-port", "--admin-port"), map(str, ports), strict=True)
    log = tmp_path / "up.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                programs / "plumbline",
                "up",
                "--state",
                state,
                *(w for pair in options for w in pair),
            ],
            cwd=traps,
            env=environment(),
            stdout=output,
            stderr=output,
        )
    try:
        wait_until((state / "system.json").exists, process, log)
        models = httpx.get(f"http://127.0.0.1:{ports[0]}/models", timeout=10).json()["models"]
        system_id = json.loads((state / "up.json").read_text())["system_id"]
        commands = [" ".join(member.cmdline()) for member in members(system_id)]
    finally:
        process.terminate()
        process.wait(60)

    assert [model["name"] for model in models] == ["eurusd-1h"]
    assert len(commands) >= 4, commands
    assert "a file of the present folder was run" not in log.read_text()
