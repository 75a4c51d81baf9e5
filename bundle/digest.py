"""Digests: SHA-256, whole where a file is checked, its first digits where something is named."""

from __future__ import annotations

import hashlib

NAME_DIGITS = 16
"""Hexadecimal digits of a name: two of a billion things share one with a chance of 3 in 100."""


def sha256_of(data: bytes) -> str:
    """Return the SHA-256 of bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def name_of(data: bytes | str, *, digits: int = NAME_DIGITS) -> str:
    """Return the first digits of the SHA-256 of bytes or of a text, as a name for them."""
    return sha256_of(data.encode() if isinstance(data, str) else data)[:digits]
