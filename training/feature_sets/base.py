"""What every feature set promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Generic, TypeVar

import torch
from pydantic import JsonValue
from torch import nn

from plumbline.bundle.record import Record
from plumbline.training.bars import Bars

P = TypeVar("P", bound=Record)

TIME, OPEN, HIGH, LOW, CLOSE, VOLUME = range(6)


class FeatureSet(nn.Module, ABC, Generic[P]):  # type: ignore[misc]  # torch comes without types here
    """Turns bars into the columns a model is shown, in training and in the served graph alike.

    It is written once, as tensor code. Training applies it to the whole history, piece by piece;
    the exported graph applies it to exactly the bars that a window needs. Both must agree, which
    `training.agreement` checks in every training: so a row depends on itself and on the ``memory``
    bars before it, on nothing later and on nothing older.

    Attributes
    ----------
    Params
        What can be chosen. None stands for what `resolved` finds in the bars.
    version
        To be raised with every change of what a column means.
    """

    Params: type[Record] = Record
    version: ClassVar[int] = 1

    def __init__(self, params: P) -> None:
        super().__init__()
        self.params = params

    @classmethod
    def resolved(cls, params: P, bars: Sequence[Bars]) -> P:  # noqa: ARG003  # nothing to look up
        """Return the parameters with everything filled in that follows from the bars.

        Called once, when a model is trained; what comes out is recorded with the model, so that
        its graph stays the same whatever bars come later.
        """
        return params

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Name of each column, unique, in order."""

    @property
    @abstractmethod
    def memory(self) -> int:
        """How many bars before its own a row depends on."""

    @abstractmethod
    def forward(self, bars: torch.Tensor) -> torch.Tensor:
        """Compute the rows that have their memory.

        Parameters
        ----------
        bars : (n, b, 6) float64
            Columns `bundle.spec.BAR_COLUMNS`, oldest first, ``b > memory``; rows are independent.

        Returns
        -------
        (n, b - memory, f) float32
            Of the last ``b - memory`` bars, finite wherever the bars are sound.
        """

    def bars_needed(self, window_length: int) -> int:
        """Return how many bars give a window of that many rows."""
        return self.memory + window_length

    @property
    def recorded_parameters(self) -> dict[str, JsonValue]:
        """The parameters as they are recorded with a model; `parameters` is torch's word."""
        return self.params.model_dump(mode="json")
