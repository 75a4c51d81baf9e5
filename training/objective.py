"""What is minimised: the losses of all outputs, over the members of the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from plumbline.training.losses import Loss
from plumbline.training.target import Target


class Objective:
    """Mean over outputs of the mean loss of their members.

    Parameters
    ----------
    kind, params
        The loss, and its parameters.
    targets
        The outputs in order.
    """

    def __init__(self, kind: type[Loss[Any]], params: Any, targets: Sequence[Target]) -> None:
        self.losses = tuple(kind(params, target) for target in targets)

    @property
    def start(self) -> tuple[float, ...]:
        """Where a fresh network begins, all outputs beside each other."""
        return tuple(number for loss in self.losses for number in loss.start)

    @property
    def tau(self) -> float:
        """Of logit adjustment; zero for plain losses."""
        return self.losses[0].tau

    def correction(self, output: str) -> tuple[float, ...] | None:
        """Return what the loss leaves out of an output's raw numbers, if anything."""
        found = {loss.target.spec.name: loss.prior_correction for loss in self.losses}
        return found[output]

    def terms(
        self, numbers: torch.Tensor, truth: torch.Tensor, group: torch.Tensor
    ) -> Mapping[str, torch.Tensor]:
        """Return the loss of each output that has a known truth.

        Parameters
        ----------
        numbers : (b, members, Σ width) floating
        truth : (b, outputs) floating
            NaN where it is not known.
        group : (b,) int64
        """
        widths = [loss.target.spec.width for loss in self.losses]
        members = numbers.shape[1]
        terms = {}
        for place, (loss, part) in enumerate(
            zip(self.losses, numbers.split(widths, dim=2), strict=True)
        ):
            known = torch.isfinite(truth[:, place])
            if not bool(known.any()):
                continue
            own, true = part[known], truth[known, place]
            # Each member answers for itself, so that a cross-section is one member's.
            groups = group[known][:, None] * members + torch.arange(members)
            terms[loss.target.spec.name] = loss(
                own.flatten(0, 1), true.repeat_interleave(members), groups.flatten()
            )
        return terms

    def __call__(
        self, numbers: torch.Tensor, truth: torch.Tensor, group: torch.Tensor
    ) -> torch.Tensor:
        """Return the mean of the terms: a scalar; zero where nothing is known."""
        terms = list(self.terms(numbers, truth, group).values())
        return torch.stack(terms).mean() if terms else numbers.sum() * 0.0
