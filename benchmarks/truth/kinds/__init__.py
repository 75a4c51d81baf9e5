"""The kinds: ``blind`` was written before its author had read a detector, ``informed`` after."""

from benchmarks.truth.kind import Kind
from benchmarks.truth.kinds import blind, informed

KINDS: dict[str, Kind] = {each.name: each for each in (*blind.kind.all, *informed.kind.all)}
"""All of them by name."""
