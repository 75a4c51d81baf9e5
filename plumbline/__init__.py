"""Plumbline serves trading-signal models and keeps them honest.

What a program needs of it is here, and is imported when it is first used:

=====================  ==========================================================================
`Client`               asks a running service, and asks again where an answer is lost
`AsyncClient`          the same, awaited
`open_bundle`          a trained model with everything that belongs to it
`diagnose`             what is the matter with predictions
`pack`                 makes a bundle of a model that somebody else trained
=====================  ==========================================================================

Each room is a package of its own below this name: `plumbline.bundle`, `plumbline.store`,
`plumbline.diagnosis`, `plumbline.training`, `plumbline.service`, `plumbline.monitoring`,
`plumbline.drills`, `plumbline.cli`. In the repository they stand at the top, and this folder links
to them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plumbline.api import diagnose, open_bundle, pack
    from plumbline.client import AsyncClient, Client

    __version__: str

__all__ = ["AsyncClient", "Client", "__version__", "diagnose", "open_bundle", "pack"]

_MODULES = {
    "AsyncClient": "plumbline.client",
    "Client": "plumbline.client",
    "diagnose": "plumbline.api",
    "open_bundle": "plumbline.api",
    "pack": "plumbline.api",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for; called once for each name."""
    from importlib import import_module  # noqa: PLC0415  # as late as everything here

    found: Any
    if name == "__version__":
        found = import_module("importlib.metadata").version("plumbline")
    elif name in _MODULES:
        found = getattr(import_module(_MODULES[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """Name what there is, imported or not."""
    return sorted({*globals(), *__all__})
