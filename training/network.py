"""The network that is trained and served: features or bars in, raw numbers out, all inside."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from torch import nn

from plumbline.bundle.array import FloatArray
from plumbline.bundle.manifest import ScalerSpec
from plumbline.training.feature_sets import FeatureSet
from plumbline.training.readout import Readout, by_output

CLIP = 8.0
"""Standard deviations at which inputs are cut off, so that one wild bar cannot rule the answer."""

_SMALLEST_SCALE = 1e-9


class Network(nn.Module):  # type: ignore[misc]  # torch comes without types here
    """Standardise, clip, let the family's network answer, and read it in the outputs' own units.

    Parameters
    ----------
    core
        From standardised windows ``(b, t, f)`` to numbers.
    scaler
        Mean and scale of each feature.
    readout
        Of the outputs.
    """

    def __init__(self, core: nn.Module, scaler: ScalerSpec, readout: Readout) -> None:
        super().__init__()
        self.core = core
        self.readout = readout
        self.register_buffer("mean", torch.tensor(scaler.mean, dtype=torch.float32))
        self.register_buffer("scale", torch.tensor(scaler.scale, dtype=torch.float32))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Turn raw windows ``(b, t, f)`` into ``(b, members, Σ width)``."""
        mean, scale = cast(torch.Tensor, self.mean), cast(torch.Tensor, self.scale)
        standard = ((features - mean) / scale).clamp(-CLIP, CLIP)
        return cast(torch.Tensor, self.readout(self.core(standard)))


class ServedNetwork(nn.Module):  # type: ignore[misc]  # torch comes without types here
    """A network as its graph is exported: one tensor for each output."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Turn raw windows ``(b, t, f)`` into ``(b, members · width)`` for each output."""
        return tuple(by_output(self.network(features), self.network.readout.specs))


class BarNetwork(nn.Module):  # type: ignore[misc]  # torch comes without types here
    """The same for a graph that takes bars: feature set, scaler and core in one.

    What training computed and what is served cannot differ then: it is the same code.
    """

    def __init__(self, feature_set: FeatureSet[Any], network: Network) -> None:
        super().__init__()
        self.feature_set = feature_set
        self.network = network

    def forward(self, bars: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Answer the bars of a window.

        Parameters
        ----------
        bars : (b, bars_needed, 6) float64
            Time in seconds, open, high, low, close, volume; oldest first.

        Returns
        -------
        tuple of (b, members · width) float32
            For each output.
        (b, f) float32, the last of the tuple
            Features of the last bar, which the prediction log keeps.
        """
        windows = self.feature_set(bars)
        outputs = by_output(self.network(windows), self.network.readout.specs)
        return (*outputs, windows[:, -1])


def fit_scaler(features: FloatArray) -> ScalerSpec:
    """Measure mean and standard deviation of ``(n, f)`` features; a constant one keeps scale 1."""
    table = np.asarray(features, dtype=np.float64)
    scale = table.std(axis=0)
    scale[scale < _SMALLEST_SCALE] = 1.0
    return ScalerSpec(mean=tuple(table.mean(axis=0).tolist()), scale=tuple(scale.tolist()))
