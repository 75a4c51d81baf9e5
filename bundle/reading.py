"""What a model's raw numbers mean, once its head has read them, and what a policy makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from plumbline.bundle.array import AnyArray, FloatArray, IntArray


@dataclass(frozen=True)
class Reading:
    """One output of a batch, read by its head.

    Attributes
    ----------
    centre : (n, w) float64
        Probabilities; mean and, where the model gives one, deviation; or score.
    epistemic : (n,) float64
        How far the members disagree; zero for a single member.
    coordinates : (n, c) float64
        The same on a scale where every statistic of movement, spread and offset makes sense
        whatever the kind: centred log-ratios, values in units of the reference's spread, or normal
        scores within the group.
    """

    centre: FloatArray
    epistemic: FloatArray
    coordinates: FloatArray

    def __len__(self) -> int:
        return len(self.centre)

    def take(self, rows: slice | AnyArray) -> Self:
        """Return the rows at these positions, or where this mask is true."""
        return type(self)(**{each.name: getattr(self, each.name)[rows] for each in fields(self)})


def joined(parts: Sequence[Reading]) -> Reading:
    """Return readings one after the other."""
    return Reading(
        *(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(Reading))
    )


@dataclass(frozen=True)
class Decision:
    """What a policy suggests for a batch.

    Attributes
    ----------
    action : (n,) int64, or None
        Place among the policy's actions; None for a policy that has none.
    position : (n,) float64
        Direction, -1 to 1.
    size : (n,) float64
        Share of capital, at least zero; what is held is ``position · size``.
    """

    action: IntArray | None
    position: FloatArray
    size: FloatArray
