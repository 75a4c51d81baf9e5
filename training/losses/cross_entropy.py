"""Plain cross-entropy: the proper score whose minimum is the true probability."""

from __future__ import annotations

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

    @override
    def __call__(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(logits, labels, label_smoothing=self.params.label_smoothing)
