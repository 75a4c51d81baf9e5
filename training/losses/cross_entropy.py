"""Plain cross-entropy: the proper score whose minimum is the true probability."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from pydantic import Field
from torch.nn import functional
from typing_extensions import override

from plumbline.bundle.record import Record
from plumbline.training.losses.base import Loss


class CrossEntropyParams(Record):
    """None by default."""

    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="Bounds the logits, at the price of calibration."
    )


class CrossEntropy(Loss[CrossEntropyParams]):
    """``-log softmax(z)_y``.

    References
    ----------
    Good (1952), "Rational Decisions", section 8.
    """

    Params = CrossEntropyParams
    teaches: ClassVar[str] = "choice"

    @property
    @override
    def start(self) -> tuple[float, ...]:
        return tuple(math.log(share) for share in self.target.prior or ())

    @override
    def __call__(self, raw: torch.Tensor, truth: torch.Tensor, group: torch.Tensor) -> torch.Tensor:
        smoothing = self.params.label_smoothing
        return functional.cross_entropy(raw, truth.long(), label_smoothing=smoothing)
