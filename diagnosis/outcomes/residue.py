"""Which moments may be bet on one after the other, although their outcomes overlap.

The outcome of a moment lies up to a horizon of ``h`` bars ahead, so that those of neighbours share
bars. A bet is fair if whatever came before it is known when it is placed. So moments are dealt to
classes, each of which bets on moments a horizon apart: for short horizons the residues modulo
``h``. For long ones neighbours are first put together in blocks, whose mean score is one bet: that
keeps the number of classes small, and neighbours say nearly the same anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Self

MOST_SINGLE = 8
"""Bars of the longest horizon whose moments are bet on one by one."""


@dataclass(frozen=True)
class Residues:
    """How moments, numbered in order, are dealt.

    Attributes
    ----------
    block
        Consecutive moments that are one bet.
    classes
        How many take turns; two bets of one class share no bar.
    """

    block: int
    classes: int

    @classmethod
    def of(cls, horizon: int) -> Self:
        """Deal for a horizon of so many bars.

        The last moment of a block of ``B`` is known ``B - 1 + h`` bars after its first, so the next
        of its class begins ``1 + ceil((h - 1) / B)`` blocks later. ``h = 6``: six classes of single
        moments; ``h = 24``: nine of three.
        """
        block = ceil(max(horizon, 1) / MOST_SINGLE)
        return cls(block, 1 + ceil((max(horizon, 1) - 1) / block))

    def class_of(self, block: int) -> int:
        """Return the class of the block with this number."""
        return block % self.classes
