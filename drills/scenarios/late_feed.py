"""A feed that runs behind: the time is now, the window is that of some bars ago."""

from __future__ import annotations

from typing import ClassVar

from typing_extensions import override

from plumbline.bundle.array import FloatArray
from plumbline.drills.scenarios.windows import WindowDrill

BARS = 5


class LateFeed(WindowDrill):
    """Sends every window five bars late, under the time of the present bar."""

    name: ClassVar[str] = "late-feed"

    @override
    def spoil(self, window: FloatArray, position: int) -> FloatArray:
        return self.system.replay.window(position, late=BARS).copy()
