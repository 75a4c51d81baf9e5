"""A model before the gate: the rows it is judged by, and everything a probe may ask of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.finding import Interval
from plumbline.bundle.heads import Head
from plumbline.diagnosis.bootstrap import mean_interval
from plumbline.diagnosis.sample import Context, Sample
from plumbline.diagnosis.thresholds import Thresholds
from plumbline.training.gate.ground import Ground
from plumbline.training.gate.statement import said_of, true_of

LEAST_ROWS = 200
"""Validation rows with a known truth, below which nothing is asked of skill."""


@dataclass(frozen=True)
class Held:
    """One output of a model, what it says of the validation rows, and the ground beneath it.

    Attributes
    ----------
    validation
        With truths, masked rows among them, oldest first.
    context
        Outputs and names of the features.
    output
        Which one is asked about.
    ground
        Older rows; None where no truth is known of any.
    ladder
        What simple rivals tell of the validation rows, by their names.
    """

    validation: Sample
    context: Context
    output: str
    ground: Ground | None = None
    thresholds: Thresholds = field(default_factory=Thresholds)
    ladder: Mapping[str, FloatArray] = field(default_factory=dict)

    @property
    def head(self) -> Head[Any]:
        """What reads the output."""
        return self.context.outputs.heads[self.output]

    @property
    def place(self) -> int:
        """Of the output among the truths."""
        return self.context.outputs.names.index(self.output)

    @cached_property
    def truth(self) -> FloatArray:
        """What came true on the validation rows, NaN where masked: ``(n,)``."""
        if self.validation.truth is None:
            return np.full(len(self.validation), np.nan)
        return np.asarray(self.validation.truth[:, self.place], np.float64)

    @property
    def enough(self) -> bool:
        """Whether enough truths are known to ask about skill."""
        return int(np.isfinite(self.truth).sum()) >= LEAST_ROWS

    @cached_property
    def said(self) -> dict[str, FloatArray]:
        """What it states of the validation rows."""
        calibration = self.context.outputs.calibrations[self.output]
        return said_of(self.head, self.validation.readings[self.output], calibration)

    @cached_property
    def true(self) -> dict[str, FloatArray]:
        """What came true of that."""
        return true_of(self.head, self.truth, self.validation.group)

    @cached_property
    def ground_said(self) -> dict[str, FloatArray]:
        """What it states of the ground's rows that it was asked about."""
        if self.ground is None or not len(self.ground.asked):
            return {}
        calibration = self.context.outputs.calibrations[self.output]
        return said_of(self.head, self.ground.readings[self.output], calibration)

    @cached_property
    def ground_true(self) -> dict[str, FloatArray]:
        """What came true on all of the ground's rows."""
        if self.ground is None:
            return {}
        truth = np.asarray(self.ground.truth[:, self.place], np.float64)
        return true_of(self.head, truth, self.ground.group)

    @cached_property
    def moments(self) -> IntArray:
        """Times of the validation rows, or their order where those are not known."""
        if self.validation.bar_time is None:
            return np.arange(len(self.validation), dtype=np.int64)
        return np.asarray(self.validation.bar_time, np.int64)

    @cached_property
    def interval(self) -> int:
        """Most frequent distance of two moments, in microseconds."""
        steps = np.diff(np.unique(self.moments))
        if not len(steps):
            return 1
        sizes, counts = np.unique(steps, return_counts=True)
        return int(sizes[counts.argmax()])

    @cached_property
    def reach(self) -> int:
        """How many bars ahead the truth lies: outcomes of so many neighbours overlap."""
        return max(1, round(self.head.spec.horizon_seconds * 1_000_000 / self.interval))

    def mean(self, values: FloatArray, level: float) -> tuple[float, Interval | None]:
        """Return the mean of values ``(n,)`` of the validation rows, NaN left out, and bounds.

        Rows of one moment count as one, and blocks are longer than outcomes overlap.
        """
        known = np.isfinite(values)
        if not known.any():
            return 0.0, None
        _, code = np.unique(self.moments[known], return_inverse=True)
        sums = np.asarray(np.bincount(code, values[known]), np.float64)
        each = sums * (len(sums) / int(known.sum()))
        found = mean_interval(each, level=level, block=max(24, 2 * min(self.reach, len(each) // 8)))
        return float(each.mean()), found
