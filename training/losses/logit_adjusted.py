"""Logit adjustment: train without the prior, put it back for calibrated probabilities."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from pydantic import Field
from torch.nn import functional
from typing_extensions import override

from plumbline.bundle.record import Record
from plumbline.training.losses.base import Loss


class LogitAdjustedParams(Record):
    """How much of the prior is left out."""

    tau: float = Field(1.0, gt=0, le=5, description="1 is consistent for the balanced error.")


class LogitAdjusted(Loss[LogitAdjustedParams]):
    """``-log softmax(z + tau log prior)_y``.

    Unlike class weights, the shift is known exactly, so ``prior_correction`` of the calibration
    gives natural probabilities again.

    References
    ----------
    Menon et al. (2021), "Long-tail learning via logit adjustment", eq. 10.
    """

    Params = LogitAdjustedParams
    teaches: ClassVar[str] = "choice"

    @property
    @override
    def tau(self) -> float:
        return self.params.tau

    @property
    @override
    def start(self) -> tuple[float, ...]:
        return tuple((1 - self.tau) * math.log(share) for share in self.target.prior or ())

    @property
    @override
    def prior_correction(self) -> tuple[float, ...]:
        return tuple(self.tau * math.log(share) for share in self.target.prior or ())

    @override
    def __call__(self, raw: torch.Tensor, truth: torch.Tensor, group: torch.Tensor) -> torch.Tensor:
        log_prior = torch.log(torch.tensor(self.target.prior, dtype=raw.dtype))
        return functional.cross_entropy(raw + self.tau * log_prior, truth.long())
