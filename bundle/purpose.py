"""What a request to the service is for, when it is not a client's: a word in a header."""

from __future__ import annotations

from typing import Final

HEADER: Final = "plumbline-purpose"
CANARY: Final = "canary"
"""Answered, but neither logged nor counted."""
