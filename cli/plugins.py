"""``plumbline plugins``."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import typer

from plumbline.cli.output import JsonOption, emit, table

if TYPE_CHECKING:
    from plumbline.bundle.plugin import Plugin, Plugins

KINDS = {
    "feature_sets": "plumbline.training.feature_sets:FEATURE_SETS",
    "labels": "plumbline.training.labels:LABELS",
    "losses": "plumbline.training.losses:LOSSES",
    "families": "plumbline.training.families:FAMILIES",
    "heads": "plumbline.bundle.heads:HEADS",
    "policies": "plumbline.bundle.policies:POLICIES",
    "detectors": "plumbline.monitoring.watching.detectors:DETECTORS",
    "triggers": "plumbline.monitoring.repair.triggers:TRIGGERS",
    "launchers": "plumbline.monitoring.repair.launchers:LAUNCHERS",
    "backends": "plumbline.service.backends:BACKENDS",
    "drills": "plumbline.drills.scenarios:DRILLS",
}
"""Where the registry of each kind is."""


def plugins(as_json: JsonOption = False) -> None:
    """List every plug-in with its source, and say what is wrong with a broken one.

    Built in, brought by an installed package, or by a module that --plugin or PLUMBLINE_PLUGINS
    names; exit 1 if one is broken.
    """
    found = find_plugins()
    rows = [(each.kind, each.name, each.source, _said(each)) for each in found]
    emit(found, as_json, people=table("kind", "name", "source", "", rows=rows))
    if any(each.problem for each in found):
        raise typer.Exit(1)


def _said(plugin: Plugin) -> str:
    return f"BROKEN: {plugin.problem}" if plugin.problem else plugin.summary


def find_plugins() -> list[Plugin]:
    """Return the plug-ins of every kind, the broken ones too."""
    from plumbline.bundle.errors import PluginError
    from plumbline.bundle.plugin import Plugin
    from plumbline.bundle.plugin_module import load_module, named_modules

    found: list[Plugin] = []
    broken: list[Plugin] = []
    for module in named_modules():
        try:
            load_module(module)
        except PluginError as error:
            broken.append(Plugin("modules", module, module, problem=str(error)))
    for kind in KINDS:
        try:
            found += registry_of(kind).plugins()
        except ImportError as error:
            reason = f"cannot be looked at here: {error}"
            found.append(Plugin(kind, "*", "built-in", summary=reason))
    return [*found, *broken]


def registry_of(kind: str) -> Plugins[Any]:
    """Return the registry of a kind; `ImportError` if what its room needs is not installed."""
    home, _, attribute = KINDS[kind].partition(":")
    registry: Plugins[Any] = getattr(import_module(home), attribute)
    return registry


def registries() -> dict[str, Plugins[Any]]:
    """Return the registry of every kind."""
    return {kind: registry_of(kind) for kind in KINDS}
