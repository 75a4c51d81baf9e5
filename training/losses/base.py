"""What every loss promises."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Generic, TypeVar

import torch

from plumbline.bundle.record import Record

P = TypeVar("P", bound=Record)


class Loss(ABC, Generic[P]):
    """Mean loss of logits against classes.

    Parameters
    ----------
    params
        Of the subclass's ``Params``.
    prior
        Share of each class in the training labels; sums to one, none zero.
    """

    Params: type[Record] = Record

    def __init__(self, params: P, prior: tuple[float, ...]) -> None:
        self.params = params
        self.prior = prior

    @property
    def tau(self) -> float:
        """How much of the log prior the trained logits leave out."""
        return 0.0

    @property
    def prior_correction(self) -> tuple[float, ...]:
        """What must be added to the trained logits for probabilities under the natural prior."""
        return tuple(self.tau * math.log(share) for share in self.prior)

    @abstractmethod
    def __call__(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the mean over rows of logits ``(b, k)`` and labels ``(b,) int64``: a scalar."""
