"""A client that standardises columns which the graph standardises anyway."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from typing_extensions import override

from plumbline.bundle.array import FloatArray
from plumbline.drills.errors import DrillError
from plumbline.drills.scenarios.windows import WindowDrill


class DoubleScaling(WindowDrill):
    """Sends all columns as the scaler of the bundle makes them."""

    name: ClassVar[str] = "double-scaling"

    @override
    def spoil(self, window: FloatArray, position: int) -> FloatArray:
        scaler = self.system.champion_now.manifest.scaler
        if scaler is None:
            raise DrillError("the drill needs a model whose bundle holds its scaler")
        mean, scale = (np.asarray(each, np.float32) for each in (scaler.mean, scaler.scale))
        found: FloatArray = (window - mean) / scale
        return found
