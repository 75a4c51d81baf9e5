"""Calibration as versioned data: one kind for each kind of output."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Self, TypeAlias

import numpy as np
from pydantic import Field, model_validator

from plumbline.bundle.array import FloatArray
from plumbline.bundle.record import Record


def softmax(logits: FloatArray) -> FloatArray:
    """Softmax over the last axis, shifted so that nothing overflows.

    Parameters
    ----------
    logits : (..., k) float64
        Finite.

    Returns
    -------
    (..., k) float64
        Sums to one over the last axis.
    """
    shifted = np.exp(logits - np.maximum.reduce(logits, axis=-1, keepdims=True))
    total: FloatArray = shifted / np.add.reduce(shifted, axis=-1, keepdims=True)
    return total


Offset: TypeAlias = Annotated[float, Field(ge=-1e3, le=1e3)]
"""Bounded, so that no finite logit becomes an infinite or undefined probability."""


class Calibration(Record):
    """What every calibration says beside its numbers."""

    rows: int = Field(ge=0, description="Held-out rows it was fitted on; 0 if it was not fitted.")

    @property
    def fitted(self) -> bool:
        """Whether held-out truth stands behind it."""
        return self.rows > 0


class ChoiceCalibration(Calibration):
    """``p = softmax((z + prior_correction) / temperature + bias)``.

    References
    ----------
    Guo et al. (2017), "On Calibration of Modern Neural Networks", section 4 (temperature and
    vector scaling). Menon et al. (2021), "Long-tail learning via logit adjustment", eq. 10:
    training on ``z + tau log prior`` leaves the prior out of ``z``; ``prior_correction`` puts it
    back.
    """

    temperature: float = Field(ge=1e-3, le=1e3)
    bias: tuple[Offset, ...] = Field(description="Per choice, in nats, in order.")
    prior_correction: tuple[Offset, ...] = Field(description="Per choice, added to raw logits.")

    @model_validator(mode="after")
    def _same_length(self) -> Self:
        if len(self.bias) != len(self.prior_correction):
            raise ValueError("bias and prior_correction must have one number per choice")
        return self

    @classmethod
    def identity(cls, choices: int) -> Self:
        """Return the calibration that leaves a softmax as it is."""
        zero = (0.0,) * choices
        return cls(temperature=1.0, bias=zero, prior_correction=zero, rows=0)

    def apply(self, logits: FloatArray) -> FloatArray:
        """Turn raw logits ``(..., k)`` into probabilities ``(..., k) float64`` that sum to one."""
        raw = np.asarray(logits, dtype=np.float64)
        correction, bias = self._offsets
        return softmax((raw + correction) / self.temperature + bias)

    @cached_property
    def _offsets(self) -> tuple[FloatArray, FloatArray]:
        return np.asarray(self.prior_correction), np.asarray(self.bias)


class ValueCalibration(Calibration):
    """``mean = intercept + slope · raw``, with what is left over as noise.

    References
    ----------
    Mincer and Zarnowitz (1969), "The Evaluation of Economic Forecasts": regress the truth on the
    forecast.
    """

    intercept: float = 0.0
    slope: float = Field(1.0, gt=0, description="Never negative: a calibration does not invert.")
    noise: float = Field(
        1.0,
        gt=0,
        description="Standard deviation of truth around a mean; a factor on the model's own "
        "deviation where it gives one.",
    )
    spread: float = Field(
        1.0, gt=0, description="Standard deviation of the calibrated mean: the coordinates' unit."
    )


class ScoreCalibration(Calibration):
    """What a score is worth: ``E[truth] = slope · normal score within the group``.

    References
    ----------
    Grinold (1994), "Alpha is Volatility Times IC Times Score".
    """

    slope: float = 0.0
