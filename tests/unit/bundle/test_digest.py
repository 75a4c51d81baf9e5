"""Digests and the names made of them."""

from __future__ import annotations

from plumbline.bundle.digest import NAME_DIGITS, name_of, sha256_of

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_the_digest_is_sha256():
    """Of nothing it is the one that everybody knows."""
    assert sha256_of(b"") == EMPTY


def test_a_name_is_how_the_digest_begins():
    """Of a text as of its bytes in UTF-8; as long as asked for."""
    assert name_of(b"") == EMPTY[:NAME_DIGITS]
    assert name_of("Größe") == name_of("Größe".encode())
    assert name_of("", digits=8) == EMPTY[:8]
