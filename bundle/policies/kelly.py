"""Hold what a forecast is worth: mean over variance, beyond costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from pydantic import Field
from typing_extensions import override

from plumbline.bundle.array import AnyArray, FloatArray
from plumbline.bundle.calibration import Calibration, ValueCalibration
from plumbline.bundle.heads.value import ValueHead
from plumbline.bundle.policies.base import Policy
from plumbline.bundle.reading import Decision, Reading
from plumbline.bundle.record import Record
from plumbline.bundle.spec import OutputSpec


class KellyParams(Record):
    """How a forecast of a return becomes a size."""

    kelly_fraction: float = Field(0.25, ge=0, le=1)
    size_cap: float = Field(0.1, ge=0, le=1, description="Largest share of capital suggested.")
    cost: float = Field(0.0, ge=0, description="Of a round trip, in units of the value.")


class KellyPolicy(Policy[KellyParams]):
    """``size = fraction · (|mean| - cost) / deviation²`` in the direction of the mean.

    There are no actions, so nothing is said of shares. The size is zero where nobody knows how far
    a forecast is off: it gives no deviation, and its calibration stands on no rows.

    References
    ----------
    Thorp (2006), "The Kelly Criterion in Blackjack, Sports Betting, and the Stock Market", eq. 7.3.
    """

    kind: ClassVar[str] = "kelly"
    Params = KellyParams

    def __init__(self, params: KellyParams, output: OutputSpec) -> None:
        if output.kind != "value":
            raise ValueError(f"policy kelly needs a value, output {output.name} is a {output.kind}")
        super().__init__(params, output)
        self._head = ValueHead(output)

    @override
    def decide(
        self,
        readings: Mapping[str, Reading],
        calibrations: Mapping[str, Calibration],
        group: AnyArray | None = None,
    ) -> Decision:
        reading, calibration = readings[self.output.name], calibrations[self.output.name]
        if not isinstance(calibration, ValueCalibration):
            raise TypeError(f"output {self.output.name}: expected a value's calibration")
        mean = self._head.direction(reading)
        edge = np.maximum(np.abs(mean) - self.params.cost, 0.0)
        full = edge / self._head.deviation(reading, calibration) ** 2
        size: FloatArray = np.clip(self.params.kelly_fraction * full, 0.0, self.params.size_cap)
        if self.output.width == 1 and not calibration.fitted:
            size = np.zeros(len(size))
        return Decision(None, np.where(edge > 0, np.sign(mean), 0.0), size)
