"""What the shell offers after TAB: names of configurations, drills and models.

A completion never complains and never makes anything: where there is nothing to offer, it is empty.
"""

from __future__ import annotations

import os

import typer

from plumbline.store.errors import StoreError


def complete_config(incomplete: str) -> list[str]:
    """Return the configurations that come along."""
    from plumbline.training.configs import config_names

    return [name for name in config_names() if name.startswith(incomplete)]


def complete_drill(incomplete: str) -> list[str]:
    """Return the names of the drills."""
    from plumbline.drills.scenarios import DRILLS

    return [name for name in DRILLS if name.startswith(incomplete)]


def complete_model(context: typer.Context, incomplete: str) -> list[str]:
    """Return the models in the store that the command line, or the environment, names."""
    from plumbline.cli.registry import existing_store
    from plumbline.store.location import VARIABLE, default_store, store_url
    from plumbline.store.registry import ModelRegistry

    given = context.params.get("store") or os.environ.get(VARIABLE) or default_store()
    try:
        names = ModelRegistry.names(existing_store(store_url(given)))
    except StoreError:
        return []
    return [name for name in names if name.startswith(incomplete)]
