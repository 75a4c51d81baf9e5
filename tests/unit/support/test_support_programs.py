"""Tests that need a program say so, or fail where it is demanded."""

from __future__ import annotations

import pytest

from tests.support.programs import PACKAGES, REQUIRE, require_program


@pytest.fixture
def nothing_installed(monkeypatch, tmp_path):
    """A search path that leads nowhere."""
    monkeypatch.setenv("PATH", str(tmp_path))


def test_a_missing_program_skips_and_names_its_package(nothing_installed, monkeypatch):
    """Without the program the test is skipped, and the reader is told what to install."""
    monkeypatch.delenv(REQUIRE, raising=False)

    with pytest.raises(pytest.skip.Exception, match="apt-get install chromium"):
        require_program("chromium")


def test_a_missing_program_fails_where_it_is_demanded(nothing_installed, monkeypatch):
    """Continuous integration must not pass by skipping."""
    monkeypatch.setenv(REQUIRE, "1")

    with pytest.raises(pytest.fail.Exception, match=f"{REQUIRE}=1"):
        require_program("promtool")


def test_a_program_that_is_there_is_found(monkeypatch, tmp_path):
    """The answer is the path to run."""
    program = tmp_path / "wrk"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert require_program("wrk") == str(program)


def test_every_known_program_has_a_package():
    """The table has no empty entry."""
    assert all(PACKAGES.values())
