"""Plug-ins: one registry per kind, with what comes along, what is installed and what was named.

A plug-in is a class under a name. It is built in; or a package brings it, by an entry point of the
group ``plumbline.<kind>``; or a module named by ``--plugin`` registers it::

    @FAMILIES.register("linear")
    class Linear(Family[LinearParams]): ...

Nothing is loaded before it is asked for: a built-in one is found without a look at the others. A
package whose entry point is broken is reported by name and left out; a module that somebody named
has to load.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from typing_extensions import override

from plumbline.bundle.errors import PluginError
from plumbline.bundle.plugin_module import (
    PluginModule,
    describe_module,
    load_module,
    named_modules,
    origin_of,
)

B = TypeVar("B")
C = TypeVar("C", bound=type)

BUILT_IN = "built-in"
GROUP = "plumbline."

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plugin:
    """One plug-in of a kind, for people to see.

    Attributes
    ----------
    kind, name
        What it is, and what it is chosen by.
    source
        Where it comes from: ``built-in``, a distribution with its version, a file or a module.
    summary
        First line of its docstring.
    problem
        Why it cannot be used; empty where it can.
    """

    kind: str
    name: str
    source: str
    summary: str = ""
    problem: str = ""


class Plugins(Mapping[str, type[B]], Generic[B]):
    """All plug-ins of one kind by name: the built-in ones in their order, then the others.

    Parameters
    ----------
    kind
        In the plural, as in the group of its entry points.
    base
        What each of them must be a subclass of, or ``module:attribute`` to find it.
    builtin
        Those that come along, each a class or ``module:attribute``.
    """

    def __init__(self, kind: str, base: type | str, builtin: Mapping[str, type[B] | str]) -> None:
        self.kind = kind
        self._base = base
        self._builtin: dict[str, type[B] | str] = dict(builtin)
        self._registered: dict[str, type[B]] = {}
        self._loaded: dict[str, type[B]] = {}
        self._alone = False

    @property
    def base(self) -> type:
        """What every plug-in of this kind is a subclass of."""
        return _attribute(self._base) if isinstance(self._base, str) else self._base

    def register(self, name: str) -> Callable[[C], C]:
        """Return a decorator that adds a class under this name.

        Raises
        ------
        PluginError
            If the name is taken, or the class is not of this kind.
        """

        def add(found: C) -> C:
            source = origin_of(found.__module__)
            taken = self._source(name)
            if taken is not None and self._registered.get(name) is not found:
                raise PluginError(f"{self.kind} {name!r} of {source}: {taken} has that name")
            self._registered[name] = self._checked(name, found, source)
            return found

        return add

    @override
    def __getitem__(self, name: str) -> type[B]:
        """Return a plug-in; raises `PluginError` if it is there, but cannot be used."""
        if name in self._builtin:
            found = self._builtin[name]
            return _attribute(found) if isinstance(found, str) else found
        self._load_named()  # one that claims an installed one's name is refused before it is used
        if name in self._entries():
            return self._load(name)
        return self._registered[name]

    @override
    def __contains__(self, name: object) -> bool:
        """Whether there is one of this name, be it broken."""
        if name in self._builtin or name in self._registered or name in self._entries():
            return True
        self._load_named()
        return name in self._registered

    @override
    def __iter__(self) -> Iterator[str]:
        """Yield the names of those that can be used; of the others a warning is logged."""
        self._load_named()
        yield from self._builtin
        for name in self._entries():
            if name in self._builtin:
                continue
            try:
                self._load(name)
            except PluginError as error:
                log.warning("%s", error)
            else:
                yield name
        yield from (name for name in self._registered if name not in self._entries())

    @override
    def __len__(self) -> int:
        return sum(1 for _ in self)

    @contextmanager
    def instead(self, others: Mapping[str, type[B]]) -> Iterator[None]:
        """Have these and no others for a while, as a test may want it."""
        kept = self._builtin, self._registered, self._alone
        self._builtin, self._registered, self._alone = dict(others), {}, True
        try:
            yield
        finally:
            self._builtin, self._registered, self._alone = kept

    def plugins(self) -> list[Plugin]:
        """Return all of them for people to see, the broken ones too."""
        found = [self._seen(name, BUILT_IN, self._builtin_summary(name)) for name in self._builtin]
        for name, entries in self._entries().items():
            source = " and ".join(_origin(entry) for entry in entries)
            try:
                if name in self._builtin:
                    raise PluginError(f"{BUILT_IN} has that name")
                found.append(self._seen(name, source, _summary(self._load(name))))
            except PluginError as error:
                found.append(Plugin(self.kind, name, source, problem=str(error)))
        found += [
            self._seen(name, origin_of(each.__module__), _summary(each))
            for name, each in self._registered.items()
        ]
        return found

    def module_of(self, name: str) -> PluginModule | None:
        """Return the module from outside that brings this plug-in; None for a built-in one."""
        if name in self._builtin:
            return None
        entries = self._entries().get(name)
        if entries:
            dist = entries[0].dist
            return PluginModule(name=entries[0].module, version=dist.version if dist else None)
        return describe_module(origin_of(self[name].__module__))

    def _seen(self, name: str, source: str, summary: str) -> Plugin:
        return Plugin(self.kind, name, source, summary)

    def _builtin_summary(self, name: str) -> str:
        try:
            return _summary(self[name])
        except ImportError as error:
            return f"not installed here: {error}"

    def _source(self, name: str) -> str | None:
        """Return who has a name."""
        if name in self._builtin:
            return f"a {BUILT_IN} one"
        if name in self._entries():
            return " and ".join(_origin(entry) for entry in self._entries()[name])
        if name in self._registered:
            return origin_of(self._registered[name].__module__)
        return None

    def _load_named(self) -> None:
        for module in () if self._alone else named_modules():
            load_module(module)

    def _load(self, name: str) -> type[B]:
        if name in self._loaded:
            return self._loaded[name]
        entries = self._entries()[name]
        if len(entries) > 1:
            both = " and ".join(_origin(entry) for entry in entries)
            raise PluginError(f"{self.kind} {name!r}: {both} both have that name; uninstall one")
        source = _origin(entries[0])
        try:
            found = entries[0].load()
        except Exception as error:  # a stranger's code may raise anything
            reason = f"{type(error).__name__}: {error}"
            raise PluginError(f"{self.kind} {name!r} of {source} is broken: {reason}") from error
        self._loaded[name] = self._checked(name, found, source)
        return self._loaded[name]

    def _entries(self) -> dict[str, list[EntryPoint]]:
        return {} if self._alone else _entries_of(GROUP + self.kind)

    def _checked(self, name: str, found: Any, source: str) -> type[B]:
        reason = misfit(found, self.base, name)
        if reason:
            raise PluginError(f"{self.kind} {name!r} of {source}: {reason}")
        checked: type[B] = found
        return checked


def misfit(found: object, base: type, name: str) -> str | None:
    """Say why something cannot be a plug-in of this base and name; None where it can."""
    wanted = f"{base.__module__}.{base.__qualname__}"
    if not (isinstance(found, type) and issubclass(found, base)):
        return f"expected a subclass of {wanted}, got {found!r}"
    lacking = sorted(getattr(found, "__abstractmethods__", ()))
    if lacking:
        return f"{found.__qualname__} lacks {', '.join(lacking)}, which {wanted} asks for"
    promised = _class_variables(base)
    lacking = sorted(each for each in promised if not hasattr(found, each))
    if lacking:
        return f"{found.__qualname__} does not set {', '.join(lacking)}, which {wanted} asks for"
    for each in ("name", "kind"):
        if each in promised and getattr(found, each) != name:
            return f"{found.__qualname__}.{each} is {getattr(found, each)!r}, expected {name!r}"
    return None


def _class_variables(base: type) -> set[str]:
    return {
        name
        for each in base.__mro__
        for name, annotation in vars(each).get("__annotations__", {}).items()
        if "ClassVar" in str(annotation)
    }


def _attribute(path: str) -> Any:
    module, _, attribute = path.partition(":")
    return getattr(import_module(module), attribute)


def _summary(found: type) -> str:
    """Return the first line of a class's docstring, or of its module's where it has none."""
    text = found.__doc__ or getattr(sys.modules.get(found.__module__), "__doc__", None) or ""
    return text.strip().partition("\n")[0]


def _origin(entry: EntryPoint) -> str:
    dist = entry.dist
    return f"{dist.name} {dist.version}" if dist else entry.value


@cache
def _entries_of(group: str) -> dict[str, list[EntryPoint]]:
    """Return the entry points of a group by name; looks at every distribution, and once."""
    found: dict[str, list[EntryPoint]] = {}
    for entry in entry_points(group=group):
        found.setdefault(entry.name, []).append(entry)
    return found
