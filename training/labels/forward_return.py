"""The sign of the return over a horizon in time, once it exceeds a threshold."""

from __future__ import annotations

import numpy as np
from pydantic import Field
from typing_extensions import override

from plumbline.bundle.array import FloatArray
from plumbline.bundle.policies.side import THREE
from plumbline.bundle.spec import OutputSpec
from plumbline.training.bars import Bars
from plumbline.training.labels.base import Label, LabelParams, Truth, forward_returns, horizon_name


class ForwardReturnParams(LabelParams):
    """Horizon and threshold."""

    threshold: float = Field(gt=0, lt=1, description="Symmetric, of the simple return.")


class ForwardReturn(Label[ForwardReturnParams]):
    """The first choice below minus the threshold, the last above it, the second between."""

    Params = ForwardReturnParams

    @property
    @override
    def outputs(self) -> tuple[OutputSpec, ...]:
        return (
            OutputSpec(
                name=horizon_name("direction", self.params.horizon_seconds),
                kind="choice",
                horizon_seconds=self.params.horizon_seconds,
                width=3,
                choices=THREE,
                positions=(-1.0, 0.0, 1.0),
            ),
        )

    @override
    def build(self, bars: Bars) -> Truth:
        later, known = forward_returns(bars, self.horizon)
        limit = self.params.threshold
        places = 1.0 + (later > limit) - (later < -limit)
        return Truth(
            np.where(known, places, np.nan)[:, None],
            np.where(known, bars.time + self.horizon, bars.time),
            later,
        )

    @override
    def mirrored(self, values: FloatArray) -> FloatArray:
        return 2.0 - values
