"""Choose the class the inputs speak for, and size it by Kelly's rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Self, TypeAlias

import numpy as np
from pydantic import Field, model_validator
from typing_extensions import override

from plumbline.bundle.array import AnyArray, FloatArray, IntArray
from plumbline.bundle.calibration import Calibration
from plumbline.bundle.policies.base import Policy
from plumbline.bundle.reading import Decision, Reading
from plumbline.bundle.record import Record
from plumbline.bundle.spec import OutputSpec

_TINY = 1e-300

Share: TypeAlias = Annotated[float, Field(gt=0, le=1)]


class ArgmaxParams(Record):
    """How probabilities become actions and sizes."""

    tau: float = Field(1.0, ge=0, le=5)
    prior: tuple[Share, ...] = Field(
        description="Class shares of the rows the calibration was fitted on, in order."
    )
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


class ArgmaxPolicy(Policy[ArgmaxParams]):
    """``action = argmax_k (log p_k - tau log prior_k)`` and a fractional Kelly size.

    Plain argmax (``tau = 0``) of a healthy model with a 65 % HOLD prior says HOLD nearly always;
    ``tau = 1`` asks instead which choice the inputs speak for most.

    References
    ----------
    Menon et al. (2021), "Long-tail learning via logit adjustment", eq. 9.
    Kelly (1956), "A New Interpretation of Information Rate".
    """

    kind: ClassVar[str] = "argmax"
    Params = ArgmaxParams

    def __init__(self, params: ArgmaxParams, output: OutputSpec) -> None:
        if output.kind != "choice":
            raise ValueError(
                f"policy argmax needs a choice, output {output.name} is a {output.kind}"
            )
        if len(params.prior) != output.width:
            raise ValueError(f"policy argmax: prior must have {output.width} shares")
        super().__init__(params, output)
        self._bias = params.tau * np.log(params.prior)
        self._positions = np.asarray(output.positions or (0.0,) * output.width)
        self._sides = np.stack([self._positions > 0, self._positions < 0], axis=1).astype(float)

    @property
    @override
    def actions(self) -> tuple[str, ...]:
        return self.output.choices

    @property
    @override
    def prior(self) -> tuple[float, ...]:
        return self.params.prior

    @override
    def decide(
        self,
        readings: Mapping[str, Reading],
        calibrations: Mapping[str, Calibration],
        group: AnyArray | None = None,
    ) -> Decision:
        reading = readings[self.output.name]
        # log p less its mean, which moves no choice and has been computed
        action: IntArray = (reading.coordinates - self._bias).argmax(axis=-1)
        position: FloatArray = self._positions[action]
        return Decision(action, position, self.size(reading.centre, position))

    def choose(self, probabilities: FloatArray) -> IntArray:
        """Return the choice of each row, ``(n, k)`` to ``(n,) int64``; ties go to the first."""
        scores = np.log(np.maximum(probabilities, _TINY)) - self._bias
        actions: IntArray = scores.argmax(axis=-1)
        return actions

    def size(self, probabilities: FloatArray, position: FloatArray) -> FloatArray:
        """Suggest a share of capital for each row.

        With probability ``p`` of the choices on the position's side, ``q`` of those on the other,
        a gain of ``b = 1 - cost`` or a loss of ``a = 1 + cost`` per unit, the log-optimal share is
        ``(p b - q a) / (a b (p + q))``.

        Parameters
        ----------
        probabilities : (n, k) float64
            Calibrated.
        position : (n,) float64
            What the chosen action bets on.

        Returns
        -------
        (n,) float64
            Between 0 and ``size_cap``; zero where the position is zero. Half a position is held by
            half already, since what is held is ``position · size``.
        """
        params = self.params
        sides = probabilities @ self._sides
        rising = position > 0
        win = np.where(rising, sides[:, 0], sides[:, 1])
        lose = np.where(rising, sides[:, 1], sides[:, 0])
        gain, loss = 1.0 - params.cost, 1.0 + params.cost
        full = (win * gain - lose * loss) / np.maximum(gain * loss * (win + lose), _TINY)
        share = np.minimum(np.maximum(params.kelly_fraction * full, 0.0), params.size_cap)
        size: FloatArray = np.where(position != 0, share, 0.0)
        return size
