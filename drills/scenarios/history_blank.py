"""A client that has lost its history: the newest step is right, the ones before it are zeros."""

from __future__ import annotations

from typing import ClassVar

from typing_extensions import override

from plumbline.bundle.array import FloatArray
from plumbline.drills.scenarios.windows import WindowDrill


class HistoryBlank(WindowDrill):
    """Sends windows of which all steps but the last are zero."""

    name: ClassVar[str] = "history-blank"

    @override
    def spoil(self, window: FloatArray, position: int) -> FloatArray:
        window[:-1] = 0.0
        return window
