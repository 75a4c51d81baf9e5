"""One registry per kind of plug-in: built in, by entry point, or registered by a named module."""

from __future__ import annotations

import logging
import re
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

import pytest

from plumbline.bundle import plugin
from plumbline.bundle.errors import PluginError
from plumbline.bundle.plugin import Plugin, Plugins
from plumbline.bundle.plugin_module import VARIABLE, PluginModule


class Sound(ABC):
    """What an animal says."""

    name: ClassVar[str]

    @abstractmethod
    def say(self) -> str:
        """Return it."""


class Bark(Sound):
    """Loud."""

    name = "bark"

    def say(self) -> str:
        """Return it."""
        return "wuff"


class Meow(Sound):
    """Not so loud."""

    name = "meow"

    def say(self) -> str:
        """Return it."""
        return "miau"


@pytest.fixture
def sounds(tmp_path, monkeypatch) -> Plugins[Sound]:
    """A kind of which one is built in, as a process knows it that has just started."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    plugin._entries_of.cache_clear()
    yield Plugins("sounds", Sound, {"bark": Bark})
    plugin._entries_of.cache_clear()


def install(folder: Path, package: str, **entries: str) -> None:
    """Install a package with entry points of the kind, as pip would."""
    info = folder / f"{package}-1.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.5\n")
    lines = [f"{name} = {value}" for name, value in entries.items()]
    (info / "entry_points.txt").write_text("\n".join(["[plumbline.sounds]", *lines, ""]))


def test_what_is_built_in_is_found_without_a_look_at_the_others(sounds, tmp_path):
    """A package that is broken cannot break it."""
    install(tmp_path, "kennel", bark="no.such:Thing")

    assert sounds["bark"] is Bark
    assert sounds.module_of("bark") is None


def test_a_builtin_may_be_named_instead_of_imported():
    """So that a heavy library is loaded where it is chosen, and nowhere else."""
    lazy = Plugins[Sound]("sounds", f"{__name__}:Sound", {"bark": f"{__name__}:Bark"})

    assert lazy["bark"].__qualname__ == "Bark"
    assert lazy.base.__qualname__ == "Sound"


def test_an_entry_point_comes_after_the_builtin_ones(sounds, tmp_path):
    """It is listed with the distribution that brings it."""
    (tmp_path / "cats.py").write_text(f"import sys\nMeow = sys.modules[{__name__!r}].Meow\n")
    install(tmp_path, "cattery", meow="cats:Meow")

    assert list(sounds) == ["bark", "meow"]
    assert sounds["meow"] is Meow
    assert sounds.plugins()[1] == Plugin("sounds", "meow", "cattery 1.5", "Not so loud.")
    assert sounds.module_of("meow") == PluginModule(name="cats", version="1.5")


def test_a_broken_entry_point_is_named_and_the_others_work(sounds, tmp_path, caplog):
    """Listing leaves it out with a warning; asking for it says why."""
    install(tmp_path, "kennel", howl="no.such:Thing")
    with caplog.at_level(logging.WARNING):
        names = list(sounds)

    assert names == ["bark"]
    assert "sounds 'howl' of kennel 1.5 is broken: ModuleNotFoundError" in caplog.text
    assert "howl" in sounds
    with pytest.raises(PluginError, match=r"'howl' of kennel 1\.5 is broken.*No module named 'no'"):
        sounds["howl"]
    assert [each.problem[:20] for each in sounds.plugins()] == ["", "sounds 'howl' of ken"]


def test_an_entry_point_cannot_take_the_name_of_a_builtin(sounds, tmp_path):
    """The built-in one is used; the other is shown as broken."""
    install(tmp_path, "kennel", bark="no.such:Thing")
    shown = sounds.plugins()[1]

    assert shown.source == "kennel 1.5"
    assert shown.problem == "built-in has that name"


def test_two_packages_cannot_have_one_name(sounds, tmp_path):
    """Both are named, and neither is used."""
    install(tmp_path, "kennel", howl="no.such:Thing")
    install(tmp_path, "woods", howl="no.such:Thing")

    with pytest.raises(PluginError, match=r"1\.5 and \w+ 1\.5 both have that name; uninstall one"):
        sounds["howl"]


def test_registering_adds_a_class(sounds):
    """In whatever module it stands."""
    sounds.register("meow")(Meow)
    sounds.register("meow")(Meow)

    assert list(sounds) == ["bark", "meow"]
    assert sounds.plugins()[1].source == __name__


def test_a_taken_name_is_refused_with_both_sources(sounds, tmp_path):
    """Built in, by entry point, or registered before."""
    install(tmp_path, "woods", howl="no.such:Thing")
    with pytest.raises(PluginError, match=f"'bark' of {__name__}: a built-in one has that name"):
        sounds.register("bark")(Meow)
    with pytest.raises(PluginError, match=r"'howl' of .*: woods 1\.5 has that name"):
        sounds.register("howl")(Meow)
    sounds.register("meow")(Meow)

    with pytest.raises(PluginError, match=f"'meow' of {__name__}: {__name__} has that name"):
        sounds.register("meow")(type("Meow", (Meow,), {"__module__": __name__}))


class Silent(Sound):
    """Says nothing at all."""

    name = "silent"


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (int, r"expected a subclass of .*Sound, got <class 'int'>"),
        ("say", r"expected a subclass of .*Sound, got 'say'"),
        (Silent, r"Silent lacks say, which .*Sound asks for"),
        (Meow, r"Meow\.name is 'meow', expected 'x'"),
    ],
)
def test_a_class_without_the_contract_is_refused(sounds, found, reason):
    """In one sentence."""
    assert re.search(reason, plugin.misfit(found, Sound, "x"))


def test_a_class_variable_without_a_value_is_missed():
    """What the base declares has to be set."""
    from plumbline.drills.drill import Drill

    found = type("Vague", (Drill,), {"name": "vague", "act": None})
    found.__abstractmethods__ = frozenset()

    assert "Vague does not set expected" in plugin.misfit(found, Drill, "vague")


def test_others_can_stand_in_for_a_while(sounds, tmp_path):
    """As a test of one of them wants it."""
    install(tmp_path, "kennel", howl="no.such:Thing")
    with sounds.instead({"meow": Meow}):
        assert dict(sounds) == {"meow": Meow}

    assert list(sounds) == ["bark"]
