"""The return over a horizon, to be ranked among all symbols of the same moment."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field
from typing_extensions import override

from plumbline.bundle.record import Record
from plumbline.bundle.spec import OutputSpec
from plumbline.training.bars import Bars
from plumbline.training.labels.base import Label, Truth, horizon_name


class CrossSectionParams(Record):
    """How far ahead."""

    horizon_bars: int = Field(
        gt=0, description="Of the symbol itself, whatever holidays there are."
    )
    bar_seconds: int = Field(86_400, gt=0, description="What a bar stands for in time.")


class CrossSection(Label[CrossSectionParams]):
    """Return over so many bars; only its order within a moment is learnt and judged.

    Bars are counted, not hours: five daily bars are a week of trading, and a holiday masks nothing.
    """

    Params = CrossSectionParams
    unit: ClassVar[Literal["row", "cross_section"]] = "cross_section"

    @property
    @override
    def outputs(self) -> tuple[OutputSpec, ...]:
        seconds = self.params.horizon_bars * self.params.bar_seconds
        return (
            OutputSpec(
                name=horizon_name("score", seconds), kind="score", horizon_seconds=seconds, width=1
            ),
        )

    @override
    def build(self, bars: Bars) -> Truth:
        count = self.params.horizon_bars
        later, known_at = np.full(len(bars), np.nan), bars.time.copy()
        if len(bars) > count:
            later[:-count] = bars.close[count:] / bars.close[:-count] - 1
            known_at[:-count] = bars.time[count:]
        return Truth(later[:, None], known_at, later)
