"""What every label promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import Field

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.record import Record
from plumbline.training.bars import Bars

MASKED = -1
"""Stands for a row that cannot be labelled; such a row is never given a class."""

CLASSES = ("SELL", "HOLD", "BUY")


class LabelParams(Record):
    """Parameters of any label."""

    horizon_seconds: int = Field(gt=0, description="How far ahead the outcome lies, in time.")


P = TypeVar("P", bound=LabelParams)


@dataclass(frozen=True)
class Labels:
    """The outcome of each bar.

    Attributes
    ----------
    classes : (n,) int8
        Index into `CLASSES`, or `MASKED`.
    forward_return : (n,) float64
        Simple return over the horizon; NaN where masked.
    """

    classes: IntArray
    forward_return: FloatArray


class Label(ABC, Generic[P]):
    """Turns bars into classes by looking ahead: the only place where that is allowed."""

    Params: type[LabelParams] = LabelParams

    def __init__(self, params: P) -> None:
        self.params = params

    @property
    def horizon(self) -> int:
        """How far ahead a label looks, in microseconds; a purge may not be shorter."""
        return self.params.horizon_seconds * 1_000_000

    @abstractmethod
    def build(self, bars: Bars) -> Labels:
        """Label every bar of one symbol, or mask it."""
