"""What every label promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Generic, Literal, TypeVar

import numpy as np
from pydantic import Field

from plumbline.bundle.array import BoolArray, FloatArray, IntArray
from plumbline.bundle.record import Record
from plumbline.bundle.spec import OutputSpec
from plumbline.training.bars import Bars

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


class LabelParams(Record):
    """Parameters of any label with one horizon."""

    horizon_seconds: int = Field(gt=0, description="How far ahead the outcome lies, in time.")


P = TypeVar("P", bound=Record)


@dataclass(frozen=True)
class Truth:
    """What came of each bar.

    Attributes
    ----------
    values : (n, outputs) float64
        A choice's place, or a value; NaN where it cannot be known, and such a row is never given
        one.
    known_at : (n,) int64
        When the last of them was known, microseconds; the row's own time where none is.
    forward_return : (n,) float64
        Simple return over the primary output's horizon; NaN where it is not known.
    """

    values: FloatArray
    known_at: IntArray
    forward_return: FloatArray


class Label(ABC, Generic[P]):
    """Says what came true by looking ahead: the only place where that is allowed."""

    Params: type[Record] = LabelParams
    unit: ClassVar[Literal["row", "cross_section"]] = "row"

    def __init__(self, params: P) -> None:
        self.params = params

    @property
    @abstractmethod
    def outputs(self) -> tuple[OutputSpec, ...]:
        """What a model of it gives, the primary output first.

        Width and members are those of a plain model; loss and family may ask for more.
        """

    @property
    def horizon(self) -> int:
        """How far ahead it looks at most, in microseconds; a purge may not be shorter."""
        return max(spec.horizon_seconds for spec in self.outputs) * 1_000_000

    @abstractmethod
    def build(self, bars: Bars) -> Truth:
        """Say for every bar of one symbol what came of it, or that this is not known."""

    def mirrored(self, values: FloatArray) -> FloatArray:
        """Return what is true of the market quoted the other way round, ``(n, outputs)``.

        Raises
        ------
        ValueError
            If there is no such thing.
        """
        del values
        raise ValueError(f"{type(self).__name__} has no mirror image: set data.mirror to false")


def forward_returns(bars: Bars, horizon: int) -> tuple[FloatArray, BoolArray]:
    """Simple return over a horizon in time, ``(n,)``, and whether it is known.

    The outcome is the close of the bar that opens exactly one horizon later. Where no such bar
    exists, as before a weekend or at the end of the data, it is not known: shifting by rows instead
    would silently compare Friday evening with Monday.
    """
    place = np.searchsorted(bars.time, bars.time + horizon)
    inside = np.minimum(place, len(bars) - 1)
    known = bars.time[inside] == bars.time + horizon
    return np.where(known, bars.close[inside] / bars.close - 1, np.nan), known


def horizon_name(prefix: str, seconds: int) -> str:
    """Return the name of an output: ``return_6h``, ``score_5d``."""
    size, unit = next((size, unit) for size, unit in _UNITS if seconds % size == 0)
    return f"{prefix}_{seconds // size}{unit}"
