"""Hold the top of a cross-section against its bottom."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import NormalDist
from typing import ClassVar

import numpy as np
from pydantic import Field
from typing_extensions import override

from plumbline.bundle.array import AnyArray, FloatArray
from plumbline.bundle.calibration import Calibration
from plumbline.bundle.policies.base import Policy
from plumbline.bundle.reading import Decision, Reading
from plumbline.bundle.record import Record
from plumbline.bundle.spec import OutputSpec


class RankParams(Record):
    """How ranks become a portfolio."""

    share: float = Field(0.1, gt=0, le=0.5, description="Of the group, held on either side.")
    gross: float = Field(1.0, gt=0, le=4, description="Capital on both sides together.")
    size_cap: float = Field(0.1, gt=0, le=1, description="Largest share of capital of one row.")


class RankPolicy(Policy[RankParams]):
    """Equal weights, long the best ``share`` of the group and short the worst.

    Rows of equal score are equal: a constant model holds nothing.
    """

    kind: ClassVar[str] = "rank"
    Params = RankParams

    def __init__(self, params: RankParams, output: OutputSpec) -> None:
        if output.kind != "score":
            raise ValueError(f"policy rank needs a score, output {output.name} is a {output.kind}")
        super().__init__(params, output)
        self._edge = NormalDist().inv_cdf(1.0 - params.share)

    @override
    def decide(
        self,
        readings: Mapping[str, Reading],
        calibrations: Mapping[str, Calibration],
        group: AnyArray | None = None,
    ) -> Decision:
        scores = readings[self.output.name].coordinates[:, 0]
        beyond = (np.abs(scores) >= self._edge) & (scores != 0)
        position: FloatArray = np.where(beyond, np.sign(scores), 0.0)
        names = np.zeros(len(scores)) if group is None else np.asarray(group)
        _, codes = np.unique(names, return_inverse=True)
        held = np.bincount(codes, weights=beyond.astype(np.float64))[codes] if len(codes) else codes
        each = self.params.gross / np.maximum(held, 1.0)
        size: FloatArray = np.where(beyond, np.minimum(each, self.params.size_cap), 0.0)
        return Decision(None, position, size)
