"""Whom a finding is about: a symbol of a client, or all of a client's."""

from __future__ import annotations

from typing import Any, TypeAlias

Scope: TypeAlias = tuple[str, str]
"""Client and symbol; an empty symbol means all of the client's."""

MOST = 4096
"""So many are remembered: the oldest go first."""


def scope_of(name: str) -> Scope:
    """Return client and symbol of a name that a ring goes by."""
    client, mark, symbol = name.partition("\0")
    return (client, symbol) if mark else ("", name)


def who(client: str, symbol: str) -> str:
    """Return whose it is, as it goes on after a noun."""
    of = f" of {symbol}" if symbol else ""
    return of + (f" from {client}" if client else "")


def make_room(held: dict[Any, Any], most: int = MOST) -> None:
    """Let the oldest go where there are too many."""
    while len(held) >= most:
        del held[next(iter(held))]
