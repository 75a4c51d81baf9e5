"""What speaks against the history of one symbol's windows, until it is enough or nothing.

A hash that does not fit makes suspicious and no more: rows may have been dropped, and a client may
compute its history anew with other rounding. Windows that were logged whole show by how much which
steps are off. Two of them must be wrong, or one whose successors' hashes do not fit either.

Bars are revised, and then the steps of several bars may be off in a row, since a rolling mean
remembers. But steps older than the revised bar are right; so in wrong windows the oldest steps must
be off, or wrong windows must lie so far apart that it cannot be the same bars.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from plumbline.monitoring.watching.audit.client_fault import ClientFaultKind
from plumbline.monitoring.watching.audit.look import Look
from plumbline.monitoring.watching.audit.maker import PARTED

PERSISTENT = 4
"""So many windows must have the wrong hash, beside one that was seen to be wrong."""

CLOSE_ROWS = 48
"""Rows that are all looked at from the first doubt on."""

KEPT = 8

Certain: TypeAlias = Callable[[Sequence[Look]], bool]
"""Whether wrong windows show a change that is not the trace of a revised bar."""

_DISTINCT = 3
_WHOLE = 0.9
_HALF = 0.45


@dataclass
class Suspicion:
    """What speaks against one symbol.

    Attributes
    ----------
    symbol
        With the client's name where that is known.
    since
        Number of the row that began it.
    usable
        Whether hashes had fitted before.
    steps
        Of a window.
    misses
        Windows whose hash does not fit though no row is missing.
    continued, parted
        Rows whose window is, or is not, the last whole window with the steps since.
    wrong
        Windows that are wrong, or leave a trace of it: the first and the newest.
    """

    symbol: str
    since: int
    usable: bool
    steps: int
    misses: int = 0
    continued: int = 0
    parted: int = 0
    wrong: list[Look] = field(default_factory=list)

    def add(self, seen: Look) -> None:
        """Take a window that is wrong."""
        if len(self.wrong) == KEPT:
            del self.wrong[1]
        self.wrong.append(seen)

    def refuted(self, seen: Look) -> bool:
        """Whether a later window says of the old bars what was said then: it is over."""
        wrong = [each.newest_off for each in self.wrong if each.wrong]
        return bool(wrong) and seen.keeps(max(wrong))

    def kind(self, certain: Certain) -> ClientFaultKind | None:
        """Return what it is once that is certain."""
        wrong = [each for each in self.wrong if each.wrong]
        kind = kind_of(wrong, certain, apart=self.steps // 2)
        if kind is not None or len(self.wrong) != 1:
            return kind
        (only,) = self.wrong
        if not (self.usable and self.misses >= PERSISTENT and only.traced):
            return None
        if self.continued:
            return "change" if certain(self.wrong) else None
        enough = only.share >= _WHOLE and self.parted >= PARTED
        return "history" if enough else None


def kind_of(wrong: Sequence[Look], certain: Certain, *, apart: int) -> ClientFaultKind | None:
    """Return what several wrong windows show together; None if not enough.

    A change leaves a border: bars before it were sent otherwise, bars since are right. In a history
    that is wrong for good the border moves with the windows: as many of the newest steps are right
    in each, which the traces of several revised bars are not.
    """
    by_bar = sorted(wrong, key=lambda each: each.bar)
    wrong = list({(each.symbol, each.bar): each for each in by_bar}.values())
    bars = {int(bar) for each in wrong for bar in each.bars[each.off]}
    if len(wrong) < 2 or len(bars) < _DISTINCT:
        return None
    moved = wrong[-1].newest_off > wrong[0].newest_off
    if moved:
        right = [int((each.bars > each.newest_off).sum()) for each in wrong]
        enough = len(wrong) >= _DISTINCT or all(each.share >= _WHOLE for each in wrong)
        half = all(each.share >= _HALF for each in wrong)
        if max(right) - min(right) > 1 or not enough or not half:
            return None
        fresh = [each for each in wrong if each.fresh]
        long = len(fresh) > 1 and fresh[-1].number - fresh[0].number >= apart
        return "history" if long or all(each.old for each in wrong) else None
    right_since = any(each.bars[-1] > each.newest_off for each in wrong)
    old = all(each.old for each in wrong)
    return "change" if old and right_since and certain(wrong) else None
