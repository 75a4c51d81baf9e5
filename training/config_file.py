"""The file of an experiment: what it inherits from others, and what a command line changes of it.

``base = "btc-1h"`` (a name, or a path beside the file) says where an experiment begins; what the
file says itself goes before. Tables are merged key by key; where another plug-in is chosen, the
parameters of the old one are left behind. Bases may have bases. The modules a file names lie beside
it, and are added to those of its base.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from plumbline.bundle.errors import PluginError
from plumbline.bundle.plugin_module import resolve_module
from plumbline.bundle.suggestion import suggestion
from plumbline.training.configs import config_names
from plumbline.training.errors import ConfigError

BASE = "base"
PLUGINS = "plugins"
_WORD = re.compile(r"[A-Za-z_][\w./:+-]*")


def read_values(name: str, *, folder: Path | None = None) -> dict[str, Any]:
    """Return what a file says, and what it inherits where it says nothing.

    Parameters
    ----------
    name
        Of an experiment that comes with the package, or a path.
    folder
        Where a relative path begins; the present folder by default.

    Raises
    ------
    ConfigError
        If a file cannot be read or is not TOML, or a chain of bases comes back to itself.
    """
    return _inherited(name, folder or Path(), ())


def merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lay values over others, table by table.

    >>> merge({"loss": {"kind": "a", "parameters": {"x": 1}}}, {"loss": {"kind": "b"}})
    {'loss': {'kind': 'b'}}
    >>> merge({"fit": {"epochs": 3, "clip": 1.0}}, {"fit": {"epochs": 4}})
    {'fit': {'epochs': 4, 'clip': 1.0}}
    """
    if "kind" in over and over["kind"] != under.get("kind"):
        under = {name: value for name, value in under.items() if name != "parameters"}
    merged = dict(under)
    for name, value in over.items():
        below = merged.get(name)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            merged[name] = merge(below, value)
        else:
            merged[name] = value
    return merged


def read_overrides(texts: Sequence[str]) -> dict[str, Any]:
    """Return what ``--set`` was given, as nested values; a later one wins.

    Values are written as in TOML; a single word that is none is text.

    >>> read_overrides(["fit.epochs=20", "loss.kind=logit_adjusted"])
    {'fit': {'epochs': 20}, 'loss': {'kind': 'logit_adjusted'}}

    Raises
    ------
    ConfigError
        If one is not of the form ``key=value``, or its value is no TOML.
    """
    values: dict[str, Any] = {}
    for text in texts:
        key, sign, written = text.partition("=")
        if not sign or not re.fullmatch(r"[\w-]+(\.[\w-]+)*", key.strip()):
            raise ConfigError(f"--set {text!r}: expected key=value, as in --set fit.epochs=20")
        value: Any = _value(text, written.strip())
        for part in reversed(key.strip().split(".")):
            value = {part: value}
        values = merge(values, value)
    return values


def _value(text: str, written: str) -> Any:
    try:
        return tomllib.loads(f"value = {written}")["value"]
    except tomllib.TOMLDecodeError as error:
        if _WORD.fullmatch(written):
            return written
        raise ConfigError(
            f"--set {text!r}: {written!r} is no TOML value ({error}); text with other than letters "
            "and digits needs quotes of its own: --set 'data.symbol=\"BTC USDT\"'"
        ) from error


def _inherited(name: str, folder: Path, chain: tuple[str, ...]) -> dict[str, Any]:
    path = folder / name
    own, place = _read(name, path, chain)
    base = own.pop(BASE, None)
    if PLUGINS in own:
        own[PLUGINS] = _located(name, own[PLUGINS], path.parent)
    if base is None:
        return own
    if not isinstance(base, str):
        raise ConfigError(f"{name}: base: expected a name or a path, got {base!r}")
    if place in chain:
        raise ConfigError(f"{name}: base: the files inherit in a ring: {_told((*chain, place))}")
    under = _inherited(base, path.parent, (*chain, place))
    if PLUGINS in under and PLUGINS in own:
        own[PLUGINS] = [*under[PLUGINS], *own[PLUGINS]]
    return merge(under, own)


def _located(name: str, given: Any, folder: Path) -> list[str]:
    """Return the modules a file names, wherever they are looked for from now on."""
    try:
        return [resolve_module(each, folder) for each in module_names(given)]
    except PluginError as error:
        raise ConfigError(f"{name}: {error}") from error


def module_names(given: Any) -> list[str]:
    """Return the names of modules, written by a person or noted in a manifest.

    Raises
    ------
    PluginError
        If it is no list.
    """
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise PluginError(f"plugins: expected a list of files or modules, got {given!r}")
    return [str(each["name"] if isinstance(each, Mapping) else each) for each in given]


def _read(name: str, path: Path, chain: Sequence[str]) -> tuple[dict[str, Any], str]:
    """Return what one file says, and where it lies."""
    if not path.is_file() and name in config_names():
        text = (files("plumbline.training") / "configs" / f"{name}.toml").read_text()
        place = name
    else:
        place = str(path.resolve())
        try:
            text = path.read_text()
        except (OSError, UnicodeDecodeError) as error:
            of = f", the base of {chain[-1]}" if chain else ""
            raise ConfigError(
                f"cannot read the configuration {name!r}{of} ({error}): give a TOML file or the "
                f"name of one that comes along; {suggestion(name, config_names())}"
            ) from error
    try:
        return tomllib.loads(text), place
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{name}: not TOML: {error}") from error


def _told(chain: Sequence[str]) -> str:
    return " → ".join(Path(place).name for place in chain)
