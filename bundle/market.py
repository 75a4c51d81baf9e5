"""What a model was taught on; its successor must be taught on the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from plumbline.bundle.manifest import Manifest


@dataclass(frozen=True)
class Market:
    """Where bars come from, whose they are and how long each lasts.

    A model that is "retrained" on another market answers the requests of the first one with what it
    knows of the second, and passes every gate.
    """

    source: str
    symbols: tuple[str, ...]
    interval_seconds: int

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """Return what a bundle was made from."""
        data = manifest.data
        return cls(data.source, data.symbols, manifest.bar_interval_seconds)

    def differences(self, other: Market) -> tuple[str, ...]:
        """Say in what another market differs from this one; nothing where they are the same.

        The order of the symbols does not matter.
        """
        found = []
        if other.source != self.source:
            found.append(f"its bars come from {other.source}, expected {self.source}")
        if sorted(other.symbols) != sorted(self.symbols):
            found.append(f"its symbols are {_list(other.symbols)}, expected {_list(self.symbols)}")
        if other.interval_seconds != self.interval_seconds:
            mine, its = self.interval_seconds, other.interval_seconds
            found.append(f"its bars last {its} s, expected {mine} s")
        return tuple(found)


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(sorted(names)) or "none"
