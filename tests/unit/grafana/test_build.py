"""What is committed is what the code writes, and both are sound."""

from __future__ import annotations

import json

import pytest

from grafana import build, lint
from tests.support.dashboards import FOLDER, NAMES, page


def test_the_committed_dashboards_are_those_of_the_code():
    """`python -m grafana.build` would change nothing."""
    written = {name: build.text(made) for name, made in build.dashboards().items()}

    assert written == {path.stem: path.read_text() for path in FOLDER.glob("*.json")}
    assert set(written) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_dashboard_has_no_fault(name):
    """By the lint that the build asks too."""
    assert lint.faults(page(name)) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_dashboard_fits_into_an_annotation(name):
    """What kubectl applies it keeps in one, of 256 KiB at most."""
    assert len(json.dumps(page(name))) < 200_000


def test_faults_are_said_and_nothing_is_written(monkeypatch, tmp_path, capsys):
    """A dashboard with a fault does not reach Grafana."""
    broken = page("fleet")
    broken["panels"][0]["title"] = ""
    monkeypatch.setattr(build, "dashboards", lambda: {"fleet": broken})
    monkeypatch.setattr(build, "TARGET", tmp_path)

    assert build.main() == 1
    assert "fleet: panel 1 has no title" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_is_written_is_what_is_committed(monkeypatch, tmp_path):
    """The command itself writes the files."""
    monkeypatch.setattr(build, "TARGET", tmp_path)

    assert build.main() == 0
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        path.name: path.read_text() for path in FOLDER.glob("*.json")
    }
