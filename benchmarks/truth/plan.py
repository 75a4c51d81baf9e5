"""What is asked, fixed before anything was looked at: places, lengths, seeds, the rule of judging.

A case is a market, a kind and a place. Its seed is a hash of these three names.

A case's answer is the first verdict after the onset under which no size is suggested (the monitor
acts on it); `unexplained` is superseded by a later one with a name. Without any, it is the last
verdict that is neither well nor undecided, and without that the case is *missed*. An answer that
is in the kind's right or acceptable set is right; one that blames another side is the *wrong
party*; what is left (the right side, another name; or `unexplained`) is neither, and not right.
"""

from __future__ import annotations

from hashlib import blake2b

SEED = 20_261_128
PLACES = 12
"""Starts in the held-out bars of a market, at equal distances."""

SOUND_ROWS, FAULT_ROWS = 200, 400
"""Rows before and after the onset where one symbol is asked about."""

SOUND_BARS_OF_MANY, FAULT_BARS_OF_MANY = 40, 120
"""Bars before and after the onset where there are many symbols: their rows are so many more."""

SLICE = 50
"""Rows that the watcher is given at a time."""

WINDOW_SHARE = 0.1
"""Share of rows logged whole, chosen by the hash of their id as the service does."""

EXACT_ROWS = 25
"""The median delay of exact faults may be no longer."""


def seed_of(market: str, kind: str, place: int) -> int:
    """Return the seed of a case."""
    name = f"{SEED}\0{market}\0{kind}\0{place}".encode()
    return int.from_bytes(blake2b(name, digest_size=8).digest(), "big")
