"""A contract: promises that are looked at one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from plumbline.bundle.plugin import misfit

T = TypeVar("T")


class ContractError(AssertionError):
    """A plug-in breaks a promise of its kind; the message says whose, and which."""


def require(kept: object, otherwise: str) -> None:
    """Raise `ContractError` with this sentence unless a promise is kept."""
    if not kept:
        raise ContractError(otherwise)


def require_kind(found: object, base: type, *, name: str | None = None) -> None:
    """Refuse what is no plug-in of this kind at all, or not of this name."""
    own = str(getattr(found, "name", getattr(found, "kind", "")))
    reason = misfit(found, base, own if name is None else name)
    require(reason is None, str(reason))


def hold(who: str, promises: Iterable[Callable[[T], None]], subject: T) -> None:
    """Look at each promise in turn.

    Parameters
    ----------
    who
        Whose they are; named in the error.
    promises
        Each raises `ContractError`, or anything at all, if it is broken; the first line of its
        docstring is the promise.
    subject
        Given to each.

    Raises
    ------
    ContractError
        At the first that is broken.
    """
    for promise in promises:
        said = (promise.__doc__ or promise.__name__).partition("\n")[0]
        try:
            promise(subject)
        except ContractError as error:
            raise ContractError(f"{who}: {error}. Promised: {said}") from error
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise ContractError(f"{who}: {reason}. Promised: {said}") from error
