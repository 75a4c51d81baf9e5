"""The decision policy: probabilities are one thing, the action taken on them another."""

from __future__ import annotations

from typing import Annotated, Self, TypeAlias

import numpy as np
from pydantic import Field, model_validator

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.record import Record

_TINY = 1e-300


Share: TypeAlias = Annotated[float, Field(gt=0, le=1)]


class DecisionPolicy(Record):
    """``action = argmax_k (log p_k - tau log prior_k)`` and a fractional Kelly size.

    Plain argmax (``tau = 0``) of a healthy model with a 65 % HOLD prior says HOLD nearly always;
    ``tau = 1`` asks instead which class the inputs speak for most.

    References
    ----------
    Menon et al. (2021), "Long-tail learning via logit adjustment", eq. 9.
    Kelly (1956), "A New Interpretation of Information Rate".
    """

    tau: float = Field(1.0, ge=0, le=5)
    prior: tuple[Share, ...] = Field(description="Class shares of the training labels, in order.")
    kelly_fraction: float = Field(0.25, ge=0, le=1)
    size_cap: float = Field(0.1, ge=0, le=1, description="Largest share of capital suggested.")
    cost: float = Field(
        0.0, ge=0, lt=1, description="Cost of a round trip as a share of the label threshold."
    )

    @model_validator(mode="after")
    def _shares(self) -> Self:
        if abs(sum(self.prior) - 1.0) > 1e-6:
            raise ValueError(f"prior must sum to one, found {sum(self.prior)}")
        return self

    def decide(self, probabilities: FloatArray) -> IntArray:
        """Return the class of each row, ``(n, k)`` to ``(n,) int64``; ties go to the first."""
        scores = np.log(np.maximum(probabilities, _TINY)) - self.tau * np.log(self.prior)
        actions: IntArray = scores.argmax(axis=-1)
        return actions

    def size(self, probabilities: FloatArray, actions: IntArray) -> FloatArray:
        """Suggest a share of capital for each row.

        With win probability ``p``, loss probability ``q`` and neither otherwise, a gain of
        ``b = 1 - cost`` or a loss of ``a = 1 + cost`` per unit, the log-optimal share is
        ``(p b - q a) / (a b (p + q))``. Only the first (SELL) and last (BUY) class of three carry
        a position.

        Parameters
        ----------
        probabilities : (n, 3) float64
            Calibrated, in the order SELL, HOLD, BUY.
        actions : (n,) int64
            From `decide`.

        Returns
        -------
        (n,) float64
            Between 0 and ``size_cap``; zero for HOLD.
        """
        sell, buy = probabilities[:, 0], probabilities[:, -1]
        last = probabilities.shape[1] - 1
        win = np.where(actions == last, buy, sell)
        lose = np.where(actions == last, sell, buy)
        gain, loss = 1.0 - self.cost, 1.0 + self.cost
        full = (win * gain - lose * loss) / np.maximum(gain * loss * (win + lose), _TINY)
        directed = (actions == 0) | (actions == last)
        size: FloatArray = np.clip(self.kelly_fraction * full, 0.0, self.size_cap) * directed
        return size
