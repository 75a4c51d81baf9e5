"""Whom a finding is about: a symbol of a client, or all of a client's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

Scope: TypeAlias = tuple[str, str]
"""Client and symbol; an empty symbol means all of the client's."""

Covers: TypeAlias = Callable[[Scope], bool]
"""Whether somebody who accepts inputs has meant those of a scope."""

MOST = 4096
"""So many are remembered: the oldest go first."""


def everybody(scope: Scope) -> bool:  # noqa: ARG001 -- as `Covers`
    """Mean the inputs of all."""
    return True


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


def without(held: dict[Scope, Any], covers: Covers) -> dict[Scope, Any]:
    """Return what is held of those who are not meant."""
    return {scope: each for scope, each in held.items() if not covers(scope)}
