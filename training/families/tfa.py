"""TFA: a small transformer encoder over recent bars."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator
from torch import nn
from typing_extensions import override

from plumbline.bundle.record import Record
from plumbline.training.families.base import Family, Shape
from plumbline.training.families.encoder import Encoder, EncoderLayer


class TfaParams(Record):
    """Sizes; the defaults are those of the published model's smaller form."""

    width: int = Field(96, ge=1)
    heads: int = Field(4, ge=1)
    layers: int = Field(2, ge=1)
    hidden: int = Field(192, ge=1, description="Of the feed-forward part.")
    dropout: float = Field(0.1, ge=0, lt=1)

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not divisible by {self.heads} heads")
        return self


class Tfa(Family[TfaParams]):
    """Linear embedding, learned positions, encoder layers normalised first, last step to numbers.

    The published recipe has no positions, so that shuffling the bars would not change its answer,
    and one logit; here are positions, and a logit per class.

    References
    ----------
    Xiong et al. (2020), "On Layer Normalization in the Transformer Architecture": normalising
    first needs no warm-up.
    """

    Params = TfaParams

    @override
    def build(self, shape: Shape) -> nn.Module:
        params = self.params
        layers = [
            EncoderLayer(
                params.width,
                params.heads,
                params.hidden,
                dropout=params.dropout,
                pre_norm=True,
                activation=nn.ReLU(),
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
            causal=False,
        )
