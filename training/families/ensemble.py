"""An ensemble: networks of one family, each from its own start, answering side by side."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import Field, JsonValue
from torch import nn
from typing_extensions import override

from plumbline.bundle.record import Record
from plumbline.training.families.base import Family, Shape
from plumbline.training.families.tfa import Tfa, TfaParams


class EnsembleParams(Record):
    """How many partners, and what each is."""

    partners: int = Field(2, ge=2, le=64)
    each: dict[str, JsonValue] = Field(
        default_factory=dict, description="Parameters of the family tfa, of which each is one."
    )


class Ensemble(Family[EnsembleParams]):
    """Partners that differ in their start alone, taught together on the same rows.

    References
    ----------
    Lakshminarayanan, Pritzel and Blundell (2017), "Simple and Scalable Predictive Uncertainty
    Estimation using Deep Ensembles", section 2.4: random starts and order suffice.
    """

    Params = EnsembleParams

    def __init__(self, params: EnsembleParams) -> None:
        super().__init__(params)
        self._each = Tfa(TfaParams.model_validate(params.each))

    @property
    @override
    def members(self) -> int:
        return self.params.partners

    @override
    def build(self, shape: Shape) -> nn.Module:
        return Partners([self._each.build(shape) for _ in range(self.params.partners)])

    @override
    def start(self, network: nn.Module, at: Sequence[float]) -> None:
        for partner in network.partners:
            self._each.start(partner, at)


class Partners(nn.Module):  # type: ignore[misc]  # torch comes without types here
    """Several networks of one shape: windows ``(b, t, f)`` to ``(b, partners, numbers)``."""

    def __init__(self, partners: Sequence[nn.Module]) -> None:
        super().__init__()
        self.partners = nn.ModuleList(partners)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Let every partner answer."""
        return torch.stack([partner(windows) for partner in self.partners], dim=1)
