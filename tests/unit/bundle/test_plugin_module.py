"""Files and modules that somebody named are found from anywhere, loaded once, and noted."""

from __future__ import annotations

import hashlib
import os
import sys

import pytest

from plumbline.bundle.errors import PluginError
from plumbline.bundle.plugin_module import (
    VARIABLE,
    PluginModule,
    describe_module,
    load_module,
    name_modules,
    named_modules,
    origin_of,
    resolve_module,
)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The present folder, in a process to which nothing was named."""
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_file_is_named_by_its_absolute_path(folder):
    """So that a child process in another folder finds it."""
    (folder / "mine.py").touch()
    name_modules(["mine.py"])
    name_modules(["mine.py", "json.tool"])

    assert named_modules() == (str(folder / "mine.py"), "json.tool")
    assert os.environ[VARIABLE] == f"{folder / 'mine.py'},json.tool"


def test_a_file_is_looked_for_beside_the_configuration_first(folder):
    """Then in the present folder."""
    beside = folder / "configs"
    beside.mkdir()
    (beside / "mine.py").touch()
    (folder / "mine.py").touch()
    (folder / "other.py").touch()

    assert resolve_module("mine.py", beside) == str(beside / "mine.py")
    assert resolve_module("other.py", beside) == str(folder / "other.py")


def test_what_is_not_there_is_refused(folder):
    """The message says where it was looked for, or what to install."""
    with pytest.raises(PluginError, match=r"nope\.py: there is no such file; looked in /"):
        name_modules(["nope.py"])
    for name in ("no_such_package", "json.nothing", "not-a-name", ".relative"):
        with pytest.raises(PluginError, match=r"is no installed module: install its package"):
            name_modules([name])
    (folder / "a,b.py").touch()
    with pytest.raises(PluginError, match="the path holds a comma"):
        name_modules(["a,b.py"])

    assert named_modules() == ()


def test_a_file_is_loaded_once_and_hides_no_package(folder):
    """Even when it has the name of one."""
    (folder / "json.py").write_text("import json\nTEXT = json.dumps(1)\nSELF = __name__\n")
    name = resolve_module("json.py")
    loaded = load_module(name)

    assert load_module(name) is loaded
    assert loaded.TEXT == "1"
    assert loaded.SELF.startswith("plumbline_plugin_json_")
    assert sys.modules["json"] is not loaded
    assert origin_of(loaded.__name__) == name


def test_two_files_of_one_name_are_two_modules(folder):
    """Their folders tell them apart."""
    names = []
    for place in ("a", "b"):
        (folder / place).mkdir()
        (folder / place / "mine.py").write_text(f"PLACE = {place!r}\n")
        names.append(resolve_module(f"{place}/mine.py"))

    assert [load_module(name).PLACE for name in names] == ["a", "b"]


def test_a_module_that_fails_says_why(folder):
    """And leaves nothing behind, so that a second attempt says the same."""
    (folder / "bad.py").write_text("raise RuntimeError('the moon is full')\n")
    name = resolve_module("bad.py")
    for _ in range(2):
        with pytest.raises(PluginError, match=r"bad\.py cannot be loaded: RuntimeError: the moon"):
            load_module(name)

    assert not any(each.startswith("plumbline_plugin_bad") for each in sys.modules)


def test_a_file_is_noted_by_its_digest_and_a_module_by_its_version(folder):
    """Which code it was can be told later."""
    (folder / "mine.py").write_text("A = 1\n")
    name = resolve_module("mine.py")
    digest = hashlib.sha256(b"A = 1\n").hexdigest()

    assert describe_module(name) == PluginModule(name=name, sha256=digest)
    assert describe_module("pytest").version == pytest.__version__
    assert describe_module("json.tool") == PluginModule(name="json.tool")
