"""What is wrong with a description, in one sentence."""

from __future__ import annotations

from pydantic import ValidationError


def complaint_of(error: ValidationError) -> str:
    """Say what is wrong first, where, and what came instead."""
    first = error.errors(include_url=False)[0]
    place = "".join(f"[{at}]" if isinstance(at, int) else f".{at}" for at in first["loc"])[1:]
    if first["type"] == "missing":
        return f"{place} is missing, a required key"
    if first["type"] == "value_error":
        said = str(first["ctx"]["error"])
    else:
        said = f"{first['msg']}, found {first['input']!r}"
    return f"{place}: {said}" if place else said
