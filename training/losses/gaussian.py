"""Normal likelihood: a mean and how far off it may be."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from typing_extensions import override

from plumbline.bundle.record import Record
from plumbline.bundle.spec import OutputSpec
from plumbline.training.losses.base import Loss


class Gaussian(Loss[Record]):
    """``log(σ / s) + ((y - m) / σ)² / 2`` with the truth's standard deviation ``s``.

    References
    ----------
    Nix and Weigend (1994), "Estimating the Mean and Variance of the Target Probability
    Distribution", eq. 4.
    """

    teaches: ClassVar[str] = "value"

    @classmethod
    @override
    def width(cls, spec: OutputSpec) -> int:
        return 2

    @property
    @override
    def start(self) -> tuple[float, ...]:
        return 0.0, math.log(math.expm1(1.0))  # of a softplus that gives 1

    @override
    def __call__(self, raw: torch.Tensor, truth: torch.Tensor, group: torch.Tensor) -> torch.Tensor:
        mean, deviation = raw[:, 0], raw[:, 1]
        scaled = (truth - mean) / deviation
        return (torch.log(deviation / self.target.scale) + 0.5 * scaled**2).mean()
