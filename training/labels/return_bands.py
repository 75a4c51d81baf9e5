"""In which of several bands the return over a horizon lies: two of them, five, any number."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field, model_validator
from typing_extensions import override

from plumbline.bundle.array import FloatArray
from plumbline.bundle.spec import OutputSpec
from plumbline.training.bars import Bars
from plumbline.training.labels.base import Label, LabelParams, Truth, forward_returns, horizon_name


class ReturnBandsParams(LabelParams):
    """Where the bands meet, what they are called, and what each bets on."""

    edges: tuple[float, ...] = Field(
        min_length=1, description="Of the simple return, rising; one edge makes two bands."
    )
    names: tuple[str, ...] = Field(description="From the lowest band to the highest.")
    positions: tuple[float, ...] = Field((), description="Evenly from -1 to 1 by default.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if list(self.edges) != sorted(set(self.edges)):
            raise ValueError(f"edges must rise, found {self.edges}")
        if len(self.names) != len(self.edges) + 1:
            raise ValueError(f"{len(self.edges)} edges make {len(self.edges) + 1} bands: name each")
        if self.positions and len(self.positions) != len(self.names):
            raise ValueError("positions must have one number per band")
        return self


class ReturnBands(Label[ReturnBandsParams]):
    """The place of the return among the bands; a return on an edge belongs to the upper one."""

    Params = ReturnBandsParams

    @property
    @override
    def outputs(self) -> tuple[OutputSpec, ...]:
        params, bands = self.params, len(self.params.names)
        return (
            OutputSpec(
                name=horizon_name("band", params.horizon_seconds),
                kind="choice",
                horizon_seconds=params.horizon_seconds,
                width=bands,
                choices=params.names,
                positions=params.positions or tuple(np.linspace(-1.0, 1.0, bands).tolist()),
            ),
        )

    @override
    def build(self, bars: Bars) -> Truth:
        later, known = forward_returns(bars, self.horizon)
        places = np.searchsorted(self.params.edges, later, side="right").astype(np.float64)
        return Truth(
            np.where(known, places, np.nan)[:, None],
            np.where(known, bars.time + self.horizon, bars.time),
            later,
        )

    @override
    def mirrored(self, values: FloatArray) -> FloatArray:
        edges = np.asarray(self.params.edges)
        if not np.allclose(edges, -edges[::-1]):
            raise ValueError(f"bands at {self.params.edges} have no mirror image: not symmetric")
        return len(self.params.names) - 1.0 - values
