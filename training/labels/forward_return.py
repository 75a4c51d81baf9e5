"""The sign of the return over a horizon in time, once it exceeds a threshold."""

from __future__ import annotations

import numpy as np
from pydantic import Field
from typing_extensions import override

from plumbline.training.bars import Bars
from plumbline.training.labels.base import MASKED, Label, LabelParams, Labels


class ForwardReturnParams(LabelParams):
    """Horizon and threshold."""

    threshold: float = Field(gt=0, lt=1, description="Symmetric, of the simple return.")


class ForwardReturn(Label[ForwardReturnParams]):
    """SELL below minus the threshold, BUY above it, HOLD between.

    The outcome is the close of the bar that opens exactly one horizon later. Where no such bar
    exists, as before a weekend or at the end of the data, the row is masked: shifting by rows
    instead would silently compare Friday evening with Monday.
    """

    Params = ForwardReturnParams

    @override
    def build(self, bars: Bars) -> Labels:
        place = np.searchsorted(bars.time, bars.time + self.horizon)
        inside = np.minimum(place, len(bars) - 1)
        known = bars.time[inside] == bars.time + self.horizon
        later = bars.close[inside] / bars.close - 1
        forward_return = np.where(known, later, np.nan)
        classes = 1 + (later > self.params.threshold) - (later < -self.params.threshold)
        return Labels(np.where(known, classes, MASKED).astype(np.int8), forward_return)
