"""A last layer with a distribution over its weights; samples of it are exported as members."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Self, cast

import torch
from pydantic import Field, model_validator
from torch import nn
from torch.nn import functional
from typing_extensions import override

from plumbline.bundle.record import Record
from plumbline.training.families.base import Family, Shape
from plumbline.training.families.encoder import Encoder
from plumbline.training.families.tfa import Tfa, TfaParams


class BayesianParams(Record):
    """Sizes of the encoder, and of what is not known about its last layer."""

    samples: int = Field(8, ge=2, le=256, description="Members an exported network answers with.")
    prior_deviation: float = Field(0.3, gt=0, description="Of each weight before any row is seen.")
    start_deviation: float = Field(0.05, gt=0, description="Of each weight when a fit begins.")
    width: int = Field(64, ge=1)
    heads: int = Field(4, ge=1)
    layers: int = Field(1, ge=1)
    hidden: int = Field(128, ge=1)
    dropout: float = Field(0.1, ge=0, lt=1)

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not divisible by {self.heads} heads")
        return self


class Bayesian(Family[BayesianParams]):
    """The encoder of `tfa`, its last layer a normal distribution over weights.

    While it is taught, every batch draws its own noise for every row; an exported network answers
    with ``samples`` fixed draws, so that the same question gets the same answer.

    References
    ----------
    Blundell et al. (2015), "Weight Uncertainty in Neural Networks", eq. 2. Kingma, Salimans and
    Welling (2015), "Variational Dropout and the Local Reparameterization Trick", section 2.3.
    """

    Params = BayesianParams

    @property
    @override
    def members(self) -> int:
        return self.params.samples

    @override
    def build(self, shape: Shape) -> nn.Module:
        params = self.params
        sizes = params.model_dump(include=set(TfaParams.model_fields))
        encoder = cast(Encoder, Tfa(TfaParams.model_validate(sizes)).build(shape))
        encoder.head = UncertainLinear(params.width, shape.numbers, params)
        return encoder

    @override
    def start(self, network: nn.Module, at: Sequence[float]) -> None:
        layer = cast(UncertainLinear, network.head)
        with torch.no_grad():
            layer.mean.mul_(0.1)
            layer.bias.copy_(torch.tensor(at))

    @override
    def penalty(self, network: nn.Module, rows: int) -> torch.Tensor | None:
        return cast(UncertainLinear, network.head).divergence() / rows


class UncertainLinear(nn.Module):  # type: ignore[misc]  # torch comes without types here
    """``(b, d)`` to ``(b, numbers)`` while it learns, to ``(b, samples, numbers)`` afterwards."""

    def __init__(self, width: int, numbers: int, params: BayesianParams) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.randn(numbers, width) / math.sqrt(width))
        start = math.log(math.expm1(params.start_deviation))
        self.spread = nn.Parameter(torch.full((numbers, width), start))
        self.bias = nn.Parameter(torch.zeros(numbers))
        self.register_buffer("draws", torch.randn(params.samples, numbers, width))
        self._prior = params.prior_deviation

    @property
    def deviation(self) -> torch.Tensor:
        """Of each weight."""
        return functional.softplus(self.spread)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Answer with a draw of noise for each row, or with all fixed draws of the weights."""
        if self.training:
            mean = functional.linear(x, self.mean, self.bias)
            variance = functional.linear(x**2, self.deviation**2)
            return mean + torch.sqrt(variance + 1e-12) * torch.randn_like(mean)
        weights = self.mean + self.deviation * cast(torch.Tensor, self.draws)
        answers = torch.einsum("bd,snd->bsn", x, weights) + self.bias
        return cast(torch.Tensor, answers)

    def divergence(self) -> torch.Tensor:
        """Kullback-Leibler divergence from the prior, in nats: a scalar."""
        ratio = (self.deviation / self._prior) ** 2
        distance = (self.mean / self._prior) ** 2
        return 0.5 * (ratio + distance - 1 - torch.log(ratio)).sum()
