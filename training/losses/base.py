"""What every loss promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Generic, TypeVar

import torch

from plumbline.bundle.record import Record
from plumbline.bundle.spec import OutputSpec
from plumbline.training.target import Target

P = TypeVar("P", bound=Record)


class Loss(ABC, Generic[P]):
    """Mean loss of one member's raw numbers of one output against the truth.

    Parameters
    ----------
    params
        Of the subclass's ``Params``.
    target
        What the truth is like in the training rows.
    """

    Params: type[Record] = Record
    teaches: ClassVar[str]
    """The kind of output it teaches."""

    def __init__(self, params: P, target: Target) -> None:
        self.params = params
        self.target = target

    @classmethod
    def width(cls, spec: OutputSpec) -> int:
        """Return how many numbers a member gives for one row of this output."""
        return spec.width

    @property
    def start(self) -> tuple[float, ...]:
        """Where a fresh network's last layer begins, ``width`` numbers in its own units."""
        return (0.0,) * self.target.spec.width

    @property
    def tau(self) -> float:
        """How much of the log prior the trained logits leave out; zero for most losses."""
        return 0.0

    @property
    def prior_correction(self) -> tuple[float, ...] | None:
        """What must be added to raw numbers for probabilities under the natural prior, if any."""
        return None

    @abstractmethod
    def __call__(self, raw: torch.Tensor, truth: torch.Tensor, group: torch.Tensor) -> torch.Tensor:
        """Return the mean over rows: a scalar.

        Parameters
        ----------
        raw : (b, width) floating
        truth : (b,) floating
            No row is masked.
        group : (b,) int64
            Which rows are one cross-section.
        """
