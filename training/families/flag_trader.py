"""FLAG-TRADER: a frozen random encoder steered by low-rank adapters, in a size for CPUs."""

from __future__ import annotations

from functools import partial
from typing import Self

from pydantic import Field, model_validator
from torch import nn
from typing_extensions import override

from plumbline.bundle.record import Record
from plumbline.training.families.base import Family, Shape
from plumbline.training.families.encoder import Encoder, EncoderLayer
from plumbline.training.families.lora import LoraLinear, merge


class FlagTraderParams(Record):
    """Sizes; the published model has width 768, 12 layers, 12 heads and hidden 3072."""

    width: int = Field(64, ge=1)
    heads: int = Field(4, ge=1)
    layers: int = Field(2, ge=1)
    hidden: int = Field(256, ge=1, description="Of the feed-forward part.")
    dropout: float = Field(0.1, ge=0, lt=1)
    rank: int = Field(16, ge=1, description="Of the adapters.")
    alpha: float = Field(16.0, gt=0, description="Scale of the adapters, divided by the rank.")

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not divisible by {self.heads} heads")
        return self


class FlagTrader(Family[FlagTraderParams]):
    """Post-norm GELU blocks whose six linear layers are random and frozen; adapters are trained.

    Embedding, positions, norms and head are trained too, as in the published code. Unlike there,
    a causal mask keeps every step from seeing later ones, and the adapters are merged before
    export, so that the served model is an ordinary encoder.
    """

    Params = FlagTraderParams

    @override
    def build(self, shape: Shape) -> nn.Module:
        params = self.params
        layers = [
            EncoderLayer(
                params.width,
                params.heads,
                params.hidden,
                dropout=params.dropout,
                pre_norm=False,
                activation=nn.GELU(),
                linear=partial(LoraLinear, rank=params.rank, alpha=params.alpha),
            )
            for _ in range(params.layers)
        ]
        return Encoder(
            features=shape.features,
            window_length=shape.window_length,
            width=params.width,
            numbers=shape.numbers,
            layers=layers,
            dropout=params.dropout,
            causal=True,
        )

    @override
    def for_export(self, network: nn.Module) -> nn.Module:
        return merge(network)
