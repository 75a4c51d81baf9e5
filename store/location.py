"""Where a store lies, said as a person says it."""

from __future__ import annotations

from pathlib import Path

VARIABLE = "PLUMBLINE_STORE"
"""Environment variable that names the store, for commands and programs alike."""


def default_store() -> str:
    """Return the URL of the store in the present folder: ``./.state/store``, made absolute."""
    return (Path.cwd() / ".state" / "store").as_uri()


def store_url(text: str) -> str:
    """Return a store URL; a plain path becomes an absolute ``file://`` URL."""
    return text if "://" in text else Path(text).expanduser().resolve().as_uri()
