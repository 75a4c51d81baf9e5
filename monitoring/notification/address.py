"""Addresses and secrets as settings give them; what is wrong with one is said without it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from plumbline.monitoring.errors import SettingsError


def checked(url: str, setting: str) -> str:
    """Return an absolute http(s) address; `SettingsError` names the setting where it is none."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good or not url.isprintable() or " " in url:
        raise SettingsError(f"{setting}: expected an absolute http(s) URL, got something else")
    return url


def read_secret(file: Path, setting: str) -> str:
    """Return the one line of a file; `SettingsError` where it cannot be read or has not just one.

    It is read whenever it is needed, so that a secret can be changed while the monitor runs.
    """
    try:
        text = file.read_text().strip()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SettingsError(f"{setting}: cannot read {file}: {why}") from error
    if not text or not text.isprintable() or not text.isascii():
        raise SettingsError(f"{setting}: expected one line of ASCII in {file}")
    return text
