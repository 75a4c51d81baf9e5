"""From a network's plain numbers to the raw numbers of its outputs, in their own units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import nn
from torch.nn import functional

from plumbline.bundle.spec import OutputSpec
from plumbline.training.target import Target

_LEAST_DEVIATION = 1e-3  # of the truth's own


class Readout(nn.Module):  # type: ignore[misc]  # torch comes without types here
    """Gives a value its mean and unit and a deviation its sign; other kinds pass as they are.

    Parameters
    ----------
    targets
        The outputs in order, each with the members that come in.
    """

    def __init__(self, targets: Sequence[Target]) -> None:
        super().__init__()
        self.specs = tuple(target.spec for target in targets)
        self._values = [target.spec.kind == "value" for target in targets]
        self._deviates = [
            v and t.spec.width == 2 for v, t in zip(self._values, targets, strict=True)
        ]
        self.register_buffer("centre", torch.tensor([target.centre for target in targets]))
        self.register_buffer("scale", torch.tensor([target.scale for target in targets]))

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        """Turn ``(b, Σ width)`` or ``(b, members, Σ width)`` into ``(b, members, Σ width)``."""
        if numbers.ndim == 2:
            numbers = numbers[:, None]
        parts = numbers.split([spec.width for spec in self.specs], dim=2)
        centre, scale = cast(torch.Tensor, self.centre), cast(torch.Tensor, self.scale)
        read = []
        for place, part in enumerate(parts):
            if not self._values[place]:
                read.append(part)
                continue
            columns = [centre[place] + scale[place] * part[..., :1]]
            if self._deviates[place]:
                positive = functional.softplus(part[..., 1:]) + _LEAST_DEVIATION
                columns.append(scale[place] * positive)
            read.append(torch.cat(columns, dim=2))
        return torch.cat(read, dim=2)


def by_output(numbers: torch.Tensor, specs: Sequence[OutputSpec]) -> list[torch.Tensor]:
    """Split ``(b, members, Σ width)`` into the outputs' own ``(b, members · width)``."""
    parts = numbers.split([spec.width for spec in specs], dim=2)
    return [part.flatten(1) for part in parts]
