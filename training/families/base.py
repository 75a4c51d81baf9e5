"""What every model family promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import nn

from plumbline.bundle.record import Record
from plumbline.training.errors import TrainingError

P = TypeVar("P", bound=Record)


@dataclass(frozen=True)
class Shape:
    """What goes in, ``(b, window_length, features)``, and how many numbers come out for a row."""

    window_length: int
    features: int
    numbers: int


class Family(ABC, Generic[P]):
    """Builds networks from standardised windows ``(b, t, f)`` to numbers.

    A network gives ``(b, numbers)`` or, with several members, ``(b, members, numbers)``.
    """

    Params: type[Record] = Record

    def __init__(self, params: P) -> None:
        self.params = params

    @property
    def members(self) -> int:
        """Posterior samples or ensemble partners that an exported network answers with."""
        return 1

    @abstractmethod
    def build(self, shape: Shape) -> nn.Module:
        """Make a network; its weights depend on torch's generator alone."""

    def start(self, network: nn.Module, at: Sequence[float]) -> None:
        """Let a fresh network begin at these ``numbers``, with small differences.

        A fit then need not spend its first epochs on finding the prior. By default the attribute
        ``head`` of the network is its last linear layer; where there is none, nothing is done.
        """
        if isinstance(getattr(network, "head", None), nn.Linear):
            start_linear(network.head, at)

    def penalty(self, network: nn.Module, rows: int) -> torch.Tensor | None:
        """Return what is added to the loss of a row, ``rows`` being taught; None for nothing."""
        del network, rows
        return None

    def for_export(self, network: nn.Module) -> nn.Module:
        """Return what is to be served; the network itself unless a family folds something away."""
        return network

    def warm_start(self, network: nn.Module, state: Mapping[str, torch.Tensor]) -> None:
        """Load the weights of an exported network of the same family, parameters and shape.

        Raises
        ------
        TrainingError
            If the weights are those of another network.
        """
        own = {name: value.shape for name, value in network.state_dict().items()}
        strange = sorted(name for name, value in state.items() if own.get(name) != value.shape)
        if strange:
            raise TrainingError(f"cannot start from the parent: its weights {strange} do not fit")
        network.load_state_dict(dict(state), strict=False)


def start_linear(layer: nn.Linear, at: Sequence[float]) -> None:
    """Let a linear layer begin at these outputs, with small differences."""
    with torch.no_grad():
        layer.weight.mul_(0.1)
        layer.bias.copy_(torch.tensor(at))
