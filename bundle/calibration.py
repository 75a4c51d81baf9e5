"""Calibration as versioned data: raw logits to probabilities under the natural prior."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias

import numpy as np
from pydantic import Field, model_validator

from plumbline.bundle.array import FloatArray
from plumbline.bundle.record import Record


def softmax(logits: FloatArray) -> FloatArray:
    """Row-wise softmax, shifted so that nothing overflows.

    Parameters
    ----------
    logits : (n, k) float64
        Finite.

    Returns
    -------
    (n, k) float64
        Rows sum to one.
    """
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    total: FloatArray = shifted / shifted.sum(axis=-1, keepdims=True)
    return total


Offset: TypeAlias = Annotated[float, Field(ge=-1e3, le=1e3)]
"""Bounded, so that no finite logit becomes an infinite or undefined probability."""


class Calibration(Record):
    """``p = softmax((z + prior_correction) / temperature + bias)``.

    References
    ----------
    Guo et al. (2017), "On Calibration of Modern Neural Networks", section 4 (temperature and
    vector scaling). Menon et al. (2021), "Long-tail learning via logit adjustment", eq. 10:
    training on ``z + tau log prior`` leaves the prior out of ``z``; ``prior_correction`` puts it
    back.
    """

    kind: Literal["vector"] = "vector"
    temperature: float = Field(ge=1e-3, le=1e3)
    bias: tuple[Offset, ...] = Field(description="Per class, in nats, in class order.")
    prior_correction: tuple[Offset, ...] = Field(description="Per class, added to the raw logits.")
    rows: int = Field(ge=0, description="Held-out rows it was fitted on.")

    @model_validator(mode="after")
    def _same_length(self) -> Self:
        if len(self.bias) != len(self.prior_correction):
            raise ValueError("bias and prior_correction must have one number per class")
        return self

    @classmethod
    def identity(cls, classes: int) -> Self:
        """Return the calibration that leaves a softmax as it is."""
        zero = (0.0,) * classes
        return cls(temperature=1.0, bias=zero, prior_correction=zero, rows=0)

    def apply(self, logits: FloatArray) -> FloatArray:
        """Turn raw logits ``(n, k)`` into probabilities ``(n, k) float64`` that sum to one."""
        raw = np.asarray(logits, dtype=np.float64)
        scaled = (raw + np.asarray(self.prior_correction)) / self.temperature
        return softmax(scaled + np.asarray(self.bias))
