"""The return itself, over one horizon or several."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field
from typing_extensions import override

from plumbline.bundle.array import FloatArray
from plumbline.bundle.record import Record
from plumbline.bundle.spec import OutputSpec
from plumbline.training.bars import Bars
from plumbline.training.labels.base import Label, Truth, forward_returns, horizon_name


class ReturnsParams(Record):
    """The horizons; the first is what the policy decides by."""

    horizons_seconds: tuple[Annotated[int, Field(gt=0)], ...] = Field(min_length=1)


class Returns(Label[ReturnsParams]):
    """Simple returns, each an output of its own; a row may know some of them and not others."""

    Params = ReturnsParams

    @property
    @override
    def outputs(self) -> tuple[OutputSpec, ...]:
        return tuple(
            OutputSpec(
                name=horizon_name("return", seconds), kind="value", horizon_seconds=seconds, width=1
            )
            for seconds in self.params.horizons_seconds
        )

    @override
    def build(self, bars: Bars) -> Truth:
        horizons = [seconds * 1_000_000 for seconds in self.params.horizons_seconds]
        found = [forward_returns(bars, horizon) for horizon in horizons]
        ends = [
            np.where(known, bars.time + horizon, bars.time)
            for (_, known), horizon in zip(found, horizons, strict=True)
        ]
        values = np.stack([later for later, _ in found], axis=1)
        return Truth(values, np.max(ends, axis=0), values[:, 0])

    @override
    def mirrored(self, values: FloatArray) -> FloatArray:
        other: FloatArray = 1 / (1 + values) - 1
        return other
