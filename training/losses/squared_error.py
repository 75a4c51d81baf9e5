"""Squared error: its minimum is the mean."""

from __future__ import annotations

from typing import ClassVar

import torch
from typing_extensions import override

from plumbline.bundle.record import Record
from plumbline.training.losses.base import Loss


class SquaredError(Loss[Record]):
    """``((m - y) / s)²`` with the truth's standard deviation ``s``, so that 1 is the constant's.

    References
    ----------
    Gneiting (2011), "Making and Evaluating Point Forecasts", section 3.
    """

    teaches: ClassVar[str] = "value"

    @override
    def __call__(self, raw: torch.Tensor, truth: torch.Tensor, group: torch.Tensor) -> torch.Tensor:
        return (((raw[:, 0] - truth) / self.target.scale) ** 2).mean()
