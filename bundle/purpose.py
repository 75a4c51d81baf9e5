"""Headers of a request to the service: what it is for, if it is not a client's, and whose it is."""

from __future__ import annotations

from typing import Final

HEADER: Final = "plumbline-purpose"
CANARY: Final = "canary"
"""Answered, but neither logged nor counted."""

CLIENT: Final = "plumbline-client"
"""Who asks, by a name of their own choice."""

MAX_CLIENT = 64
"""Characters of such a name."""
