"""Modules from outside that register plug-ins: a file, or a module of an installed package.

They are named by ``--plugin``, by ``plugins = [...]`` in a configuration or in settings, or by the
environment variable ``PLUMBLINE_PLUGINS``, which is also how child processes learn of them. Naming
costs nothing; a module is loaded when a plug-in is first asked for that nobody else has.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import threading
from collections.abc import Iterable
from importlib import import_module, metadata
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from pydantic import Field

from plumbline.bundle.errors import PluginError
from plumbline.bundle.record import Record

VARIABLE = "PLUMBLINE_PLUGINS"
"""Names of the modules, separated by commas."""

_DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_loading = threading.RLock()
_loaded: dict[str, ModuleType] = {}


class PluginModule(Record):
    """Which module from outside had a part in a training."""

    name: str = Field(description="Absolute path of a file, or a dotted module name.")
    version: str | None = Field(None, description="Of the distribution the module belongs to.")
    sha256: str | None = Field(None, description="Of the file.")


def resolve_module(text: str, *folders: Path) -> str:
    """Return what names a module from whatever folder: an absolute path, or a dotted name.

    Parameters
    ----------
    text
        As a person gave it.
    folders
        Where to look for a file, before the present folder.

    Raises
    ------
    PluginError
        If there is no such file or module.
    """
    if text.endswith(".py") or "/" in text or os.sep in text:
        places = [folder / Path(text).expanduser() for folder in (*folders, Path.cwd())]
        found = next((place for place in places if place.is_file()), None)
        if found is None:
            looked = ", ".join(dict.fromkeys(str(place.parent) for place in places))
            raise PluginError(f"plug-in {text}: there is no such file; looked in {looked}")
        if "," in str(found):
            raise PluginError(f"plug-in {found}: the path holds a comma, which separates plug-ins")
        return str(found.resolve())
    if not _known(text):
        raise PluginError(
            f"plug-in {text!r} is no installed module: install its package, or give the path of a "
            "file that ends in .py"
        )
    return text


def name_modules(names: Iterable[str], *folders: Path) -> None:
    """Add modules to those that this process and its children may load.

    Raises
    ------
    PluginError
        If there is no such file or module.
    """
    resolved = [resolve_module(name, *folders) for name in (*named_modules(), *names)]
    if resolved:
        os.environ[VARIABLE] = ",".join(dict.fromkeys(resolved))


def named_modules() -> tuple[str, ...]:
    """Return the modules named so far."""
    given = os.environ.get(VARIABLE, "").split(",")
    return tuple(name.strip() for name in given if name.strip())


def load_module(name: str) -> ModuleType:
    """Load a module once; a file gets a name of its own, so that it cannot hide a package.

    Raises
    ------
    PluginError
        If it is not there, or fails while it is loaded.
    """
    name = resolve_module(name)
    with _loading:
        if name not in _loaded:
            try:
                if is_file(name):
                    _load_file(Path(name))
                else:
                    _loaded[name] = import_module(name)
            except PluginError:
                raise
            except Exception as error:  # a stranger's code may raise anything
                reason = f"{type(error).__name__}: {error}"
                raise PluginError(f"plug-in {name} cannot be loaded: {reason}") from error
        return _loaded[name]


def describe_module(name: str) -> PluginModule:
    """Return what is written down of a module that was used."""
    if is_file(name):
        digest = hashlib.sha256(Path(name).read_bytes()).hexdigest()
        return PluginModule(name=name, sha256=digest)
    owners = metadata.packages_distributions().get(name.partition(".")[0], ())
    return PluginModule(name=name, version=metadata.version(owners[0]) if owners else None)


def is_file(name: str) -> bool:
    """Tell a resolved path from a dotted name."""
    return Path(name).is_absolute()


def origin_of(module: str) -> str:
    """Return the file of a plug-in that was loaded from one, else the module's own name."""
    for name, loaded in _loaded.items():
        if loaded.__name__ == module:
            return name
    return module


def _load_file(path: Path) -> None:
    stem = re.sub(r"\W", "_", path.stem)
    name = f"plumbline_plugin_{stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PluginError(f"plug-in {path}: expected a file that ends in .py")
    module = module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pydantic look their module up
    _loaded[str(path)] = module  # what it registers while it runs is traced to its file
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name], _loaded[str(path)]
        raise


def _known(name: str) -> bool:
    """Whether a dotted name can be imported; the packages above it are imported to find out."""
    if not _DOTTED.fullmatch(name):
        return False
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False
