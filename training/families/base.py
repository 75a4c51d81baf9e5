"""What every model family promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import nn

from plumbline.bundle.record import Record
from plumbline.training.errors import TrainingError

P = TypeVar("P", bound=Record)


@dataclass(frozen=True)
class Shape:
    """What goes in, ``(b, window_length, features)``, and what comes out, ``(b, classes)``."""

    window_length: int
    features: int
    classes: int


class Family(ABC, Generic[P]):
    """Builds networks from standardised windows ``(b, t, f)`` to logits ``(b, k)``.

    The attribute ``head`` of a network is its last linear layer, so that a fit may start at the
    prior instead of spending its first epochs on finding it.
    """

    Params: type[Record] = Record

    def __init__(self, params: P) -> None:
        self.params = params

    @abstractmethod
    def build(self, shape: Shape) -> nn.Module:
        """Make a network; its weights depend on torch's generator alone."""

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
