"""When the watcher looks at rows about which no detector has alarmed."""

from __future__ import annotations

from dataclasses import dataclass

from plumbline.bundle.finding import Verdict

HEALTHY_ROWS = 100
"""Sound rows before a stream is called healthy."""

QUIET_ROWS = 200
"""Sound rows without an alarm before an unexplained one is let go."""

DRIFT_LOOKS = 3
"""Looks in a row that must see no drift before it is over: near a threshold it comes and goes."""

_EVERY = 50
_MOST = 2_000
_GROWTH = 10


@dataclass
class Looks:
    """Looks come often at first, and then after a tenth of the rows so far.

    They say what a quiet stream looks like; an alarm does not wait for them.
    """

    due: int = HEALTHY_ROWS
    undrifted: int = 0

    def taken(self, rows: int) -> None:
        """Note that so many sound rows have been looked at."""
        self.due = rows + min(max(_EVERY, rows // _GROWTH), _MOST)

    def wait(self, rows: int, patience: int) -> None:
        """Look again only so many rows after these."""
        self.due = rows + patience

    def drift_lingers(self, before: Verdict, now: Verdict) -> bool:
        """Whether a drift goes on although this look sees none: too few in a row have seen none."""
        if before is not Verdict.DRIFT or not now.facts.well:
            self.undrifted = 0
            return False
        self.undrifted += 1
        return self.undrifted < DRIFT_LOOKS
