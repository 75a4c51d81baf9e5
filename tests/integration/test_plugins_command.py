"""`plumbline plugins` shows where each plug-in comes from, and `--plugin` reaches every process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from plumbline.bundle.plugin_module import VARIABLE

TRIGGER = '''"""Asks on full moons."""
from plumbline.monitoring.repair.triggers import TRIGGERS
from plumbline.monitoring.repair.triggers.base import NOTHING, Trigger

@TRIGGERS.register("moon")
class Moon(Trigger):
    """Asks when the moon is full, which it never is."""
    name = "moon"

    def _wish(self, situation):
        return NOTHING
'''


def plumbline(*arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder."""
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    return subprocess.run(
        [sys.executable, "-P", "-m", "plumbline.cli.main", *arguments],
        cwd=folder,
        env={**environment, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_file_is_listed_with_its_path(tmp_path):
    """By option or by variable; in JSON for scripts."""
    (tmp_path / "moon.py").write_text(TRIGGER)
    by_option = plumbline("plugins", "--json", "--plugin", "moon.py", folder=tmp_path)
    by_variable = plumbline("plugins", "--json", folder=tmp_path, PLUMBLINE_PLUGINS="moon.py")
    listed = {(each["kind"], each["name"]): each for each in json.loads(by_option.stdout)}

    assert by_option.returncode == 0, by_option.stderr
    assert by_variable.stdout == by_option.stdout
    assert listed["triggers", "moon"] == {
        "kind": "triggers",
        "name": "moon",
        "source": str(tmp_path / "moon.py"),
        "summary": "Asks when the moon is full, which it never is.",
        "problem": "",
    }
    assert listed["backends", "torchscript"]["source"] == "built-in"


def test_a_file_that_fails_is_shown_as_broken(tmp_path):
    """Exit 1, with the reason; everything else is listed."""
    (tmp_path / "bad.py").write_text("1 / 0\n")
    done = plumbline("plugins", "--json", "--plugin", "bad.py", folder=tmp_path)
    last = json.loads(done.stdout)[-1]

    assert done.returncode == 1
    assert last["name"] == str(tmp_path / "bad.py")
    assert "ZeroDivisionError" in last["problem"]


@pytest.mark.parametrize("command", ["monitor", "train"])
def test_a_command_that_needs_a_failing_file_says_so(command, tmp_path):
    """In one line, without a trace."""
    (tmp_path / "bad.py").write_text("1 / 0\n")
    (tmp_path / "store").mkdir()
    choice = ("--loss", "mine") if command == "train" else ("--store", str(tmp_path / "store"))
    done = plumbline(
        command, *choice, "--plugin", "bad.py", folder=tmp_path, PLUMBLINE_MONITORING_LAUNCHER="own"
    )

    assert done.returncode == 1
    assert "bad.py cannot be loaded: ZeroDivisionError" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_file_is_a_mistake_of_usage(tmp_path):
    """Said at once."""
    done = plumbline("serve", "--plugin", "nope.py", folder=tmp_path)

    assert done.returncode == 2
    assert "there is no such file" in done.stderr


SETTINGS = """
import sys
from pathlib import Path
from plumbline.monitoring.monitor import build_triggers
from plumbline.monitoring.settings import MonitoringSettings
from plumbline.service.server import child_environment
from plumbline.service.settings import ServiceSettings

if sys.argv[1] == "monitor":
    settings = MonitoringSettings.load(Path(sys.argv[2]))
    print(*(type(each).__name__ for each in build_triggers(settings)))
else:
    settings = ServiceSettings.load(models=("m",), plugins=(sys.argv[2],))
    print(child_environment(settings)["PLUMBLINE_PLUGINS"])
"""


@pytest.mark.parametrize(("room", "named"), [("monitor", "monitor.toml"), ("service", "moon.py")])
def test_settings_name_modules_for_the_children(room, named, tmp_path):
    """The monitor finds what it brings; the workers of the service are told its full path."""
    (tmp_path / "moon.py").write_text(TRIGGER)
    (tmp_path / "monitor.toml").write_text('plugins = ["moon.py"]\ntriggers = ["moon"]\n')
    done = subprocess.run(
        [sys.executable, "-P", "-c", SETTINGS, room, named],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == ("Moon" if room == "monitor" else str(tmp_path / "moon.py"))


def test_a_backend_nobody_brings_is_refused(tmp_path):
    """With the names there are."""
    from plumbline.service.settings import ServiceSettings, SettingsError

    with pytest.raises(
        SettingsError, match="backend: expected one of onnx, torchscript, got 'tpu'"
    ):
        ServiceSettings.load(models=("m",), backend="tpu", state=tmp_path)
