"""Experiments: one TOML file each, its header saying what to expect of it."""
