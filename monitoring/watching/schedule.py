"""When the watcher looks at rows about which no detector has alarmed."""

from __future__ import annotations

from dataclasses import dataclass

HEALTHY_ROWS = 100
"""Sound rows before a stream is called healthy."""

QUIET_ROWS = 200
"""Sound rows without an alarm before an unexplained one is let go."""

_EVERY = 50
_MOST = 2_000
_GROWTH = 10


@dataclass
class Looks:
    """Looks come often at first, and then after a tenth of the rows so far.

    They say what a quiet stream looks like; an alarm does not wait for them.
    """

    due: int = HEALTHY_ROWS

    def taken(self, rows: int) -> None:
        """Note that so many sound rows have been looked at."""
        self.due = rows + min(max(_EVERY, rows // _GROWTH), _MOST)

    def wait(self, rows: int, patience: int) -> None:
        """Look again only so many rows after these."""
        self.due = rows + patience
