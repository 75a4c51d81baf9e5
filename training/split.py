"""The chronological split: train, calibration, validation, test, with purge and embargo between.

A row may be used in a part if its label is known before the next part begins (the purge) and it
lies an embargo after the part's own beginning. Windows may reach back across a border, since the
past is never a secret; labels may not reach forward across one.

```
 train ──────────┐purge│ embargo ┌── calibration ──┐purge│ embargo ┌── validation ── … ── test
```
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from pydantic import Field, model_validator

from plumbline.bundle.array import BoolArray, IntArray
from plumbline.bundle.record import Record
from plumbline.training.errors import TrainingError

PARTS: Final = ("train", "calibration", "validation", "test")
END_OF_TIME = np.iinfo(np.int64).max


class SplitParams(Record):
    """Shares of the bars, in time, and the distances kept between the parts."""

    train: float = Field(gt=0, lt=1)
    calibration: float = Field(gt=0, lt=1, description="For early stopping and calibration.")
    validation: float = Field(gt=0, lt=1, description="For the gate; nothing is fitted on it.")
    test: float = Field(ge=0, lt=1, description="Never seen by a training; kept to be replayed.")
    purge_seconds: int | None = Field(
        None, gt=0, description="At least the label's horizon, which is the default."
    )
    embargo_seconds: int = Field(ge=0, description="Kept free after each border.")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        total = self.train + self.calibration + self.validation + self.test
        if abs(total - 1) > 1e-9:
            raise ValueError(f"the shares must add up to 1, they give {total:g}")
        return self

    def without_test(self) -> SplitParams:
        """Return the split that gives the test's share to the other parts."""
        total = self.train + self.calibration + self.validation
        shares = {part: getattr(self, part) / total for part in PARTS[:3]}
        shares["validation"] = 1 - shares["train"] - shares["calibration"]
        return self.model_copy(update={**shares, "test": 0.0})


@dataclass(frozen=True)
class Part:
    """A stretch of time: from ``start`` up to, but without, ``end``; microseconds."""

    name: str
    start: int
    end: int


@dataclass(frozen=True)
class Split:
    """The parts, oldest first, each beginning where the one before ends.

    Attributes
    ----------
    purge, embargo : int
        Microseconds.
    """

    parts: tuple[Part, ...]
    purge: int
    embargo: int

    def part(self, name: str) -> Part:
        """Return a part by name."""
        return next(part for part in self.parts if part.name == name)

    def inside(self, name: str, time: IntArray) -> BoolArray:
        """Tell which rows lie in a part, whether or not they may be used: ``(n,) bool``."""
        part = self.part(name)
        return (time >= part.start) & (time < part.end)

    def usable(self, name: str, time: IntArray) -> BoolArray:
        """Tell which rows of a part are clear of purge and embargo: ``(n,) bool``."""
        part = self.part(name)
        begin = part.start + (self.embargo if part is not self.parts[0] else 0)
        last = part.end if part is self.parts[-1] else part.end - self.purge
        return (time >= begin) & (time < last)


def split_bars(time: IntArray, params: SplitParams, *, horizon: int) -> Split:
    """Divide bars by time.

    Parameters
    ----------
    time : (n,) int64
        Open times of the bars, of all symbols, in any order; microseconds.
    params
        Shares and distances.
    horizon
        Of the label, in microseconds.

    Raises
    ------
    TrainingError
        If the purge is shorter than the horizon, or a part would be empty.
    """
    purge = horizon if params.purge_seconds is None else params.purge_seconds * 1_000_000
    if purge < horizon:
        raise TrainingError(
            f"split.purge_seconds is {params.purge_seconds}, shorter than the label's horizon of "
            f"{horizon // 1_000_000} s: labels would reach into the next part"
        )
    names = PARTS if params.test > 0 else PARTS[:3]
    moments = np.unique(time)
    shares = np.cumsum([getattr(params, name) for name in names])[:-1]
    borders = np.round(shares * len(moments)).astype(int)
    if len(moments) < 2 * len(names) or len(np.unique(borders)) < len(borders):
        raise TrainingError(f"{len(moments)} bars are too few to be split into {', '.join(names)}")
    starts = [int(moments[0]), *(int(moments[border]) for border in borders)]
    ends = [*starts[1:], END_OF_TIME]
    parts = tuple(map(Part, names, starts, ends))
    return Split(parts, purge, params.embargo_seconds * 1_000_000)
