"""Low-rank adapters: a frozen linear layer and the small correction that is trained.

References
----------
Hu et al. (2022), "LoRA: Low-Rank Adaptation of Large Language Models", section 4.1.
"""

from __future__ import annotations

import copy
import math

import torch
from torch import nn


class LoraLinear(nn.Module):  # type: ignore[misc]  # torch comes without types here
    """``x W' + b + (alpha / rank) x A' B'`` with ``W`` and ``b`` frozen and ``B`` zero at first.

    The names ``weight`` and ``bias`` are those of `torch.nn.Linear`, so that merged weights can be
    loaded again.
    """

    def __init__(self, inputs: int, outputs: int, *, rank: int, alpha: float) -> None:
        super().__init__()
        base = nn.Linear(inputs, outputs)
        self.weight = nn.Parameter(base.weight.detach(), requires_grad=False)
        self.bias = nn.Parameter(base.bias.detach(), requires_grad=False)
        self.lora_a = nn.Parameter(torch.empty(rank, inputs))
        self.lora_b = nn.Parameter(torch.zeros(outputs, rank))
        nn.init.kaiming_uniform_(self.lora_a, a=math.sqrt(5))
        self.scale = alpha / rank

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(…, inputs)`` to ``(…, outputs)``."""
        frozen = nn.functional.linear(x, self.weight, self.bias)
        return frozen + self.scale * (x @ self.lora_a.T @ self.lora_b.T)

    def merged(self) -> nn.Linear:
        """Return the one linear layer that does the same."""
        outputs, inputs = self.weight.shape
        linear = nn.Linear(inputs, outputs)
        with torch.no_grad():
            linear.weight.copy_(self.weight + self.scale * self.lora_b @ self.lora_a)
            linear.bias.copy_(self.bias)
        return linear


def merge(network: nn.Module) -> nn.Module:
    """Return a copy of a network with every adapter merged into its layer."""
    merged = copy.deepcopy(network)
    for module in list(merged.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, LoraLinear):
                setattr(module, name, child.merged())
    return merged
