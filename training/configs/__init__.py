"""Experiments: one TOML file each, its header saying what to expect of it."""

from __future__ import annotations

from importlib.resources import files


def config_names() -> list[str]:
    """Return the names of the experiments that come with the package."""
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in files("plumbline.training.configs").iterdir()
        if entry.name.endswith(".toml")
    )
