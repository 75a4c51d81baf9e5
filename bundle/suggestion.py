"""What was probably meant by a name that nobody knows.

Every refusal of a name says it: of a configuration, a key, a setting, a model, a drill, a plug-in.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import get_args

from pydantic import BaseModel

_LISTED = 12


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that looks most like this one, or None if none does.

    Capitals and the kind of dash make no difference.

    >>> nearest("BTC_1h", ["btc-1h", "eurusd-1h"])
    'btc-1h'
    """
    folded = {_fold(each): each for each in known}
    close = difflib.get_close_matches(_fold(name), folded, 1)
    return folded[close[0]] if close else None


def suggestion(name: str, known: Iterable[str], *, prefix: str = "") -> str:
    """Say which known name was probably meant, or which there are if none is near.

    Parameters
    ----------
    name, known
        The name that came, and those there are.
    prefix
        Stands before each of them where it is said; it makes no two names alike.

    >>> suggestion("btc1h", ["btc-1h", "eurusd-1h"])
    'did you mean btc-1h?'
    >>> suggestion("gold", ["btc-1h", "eurusd-1h"])
    'there are btc-1h, eurusd-1h'
    """
    names = list(known)
    close = nearest(name, names)
    if close is not None:
        return f"did you mean {prefix}{close}?"
    names = [prefix + each for each in names]
    more = len(names) - _LISTED
    listed = [*names[:_LISTED], *([f"{more} more"] if more > 1 else names[_LISTED:])]
    return f"there are {', '.join(listed)}" if listed else "there are none"


def unknown_key(
    values: Mapping[str, object], kind: type[BaseModel], *, within: str = ""
) -> str | None:
    """Say of the first key that a record and those inside it do not know what was meant.

    To be asked before validation: a misspelt key often leaves another one missing, and that
    complaint alone leads astray.
    """
    fields = {field.alias or name: field for name, field in kind.model_fields.items()}
    for name, value in values.items():
        if name not in fields:
            return f"{within}{name} is no key: {suggestion(name, fields, prefix=within)}"
        inner = _record_in(fields[name].annotation)
        if inner is None:
            continue
        inside = {f"{within}{name}.": value}
        if isinstance(value, list | tuple):
            inside = {f"{within}{name}[{place}].": each for place, each in enumerate(value)}
        for path, each in inside.items():
            if not isinstance(each, Mapping):
                continue
            if (found := unknown_key(each, inner, within=path)) is not None:
                return found
    return None


def _record_in(annotation: object) -> type[BaseModel] | None:
    """Return the record a field holds: itself, one or none of it, or a sequence of it."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = [_record_in(each) for each in get_args(annotation)]
    found = [each for each in inner if each is not None]
    return found[0] if len(found) == 1 else None


def unknown_variable(
    environment: Iterable[str], prefix: str, known: Iterable[str], *, of: str
) -> str | None:
    """Say of the first prefixed variable that is no setting what was meant."""
    names = [name.upper() for name in known]
    for name in environment:
        short = name.upper().removeprefix(prefix)
        if name.upper().startswith(prefix) and short not in names:
            return f"{name} is no setting of {of}: {suggestion(short, names, prefix=prefix)}"
    return None


def _fold(name: str) -> str:
    return name.lower().replace("_", "-")
