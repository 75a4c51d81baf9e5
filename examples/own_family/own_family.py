"""A linear family, a feature set of a few returns, and a label of the market's tails."""

from statistics import NormalDist

import numpy as np
import torch
from pydantic import Field
from torch import nn

from plumbline.bundle.record import Record
from plumbline.bundle.spec import OutputSpec
from plumbline.training.bars import Bars
from plumbline.training.families import Family, Shape
from plumbline.training.feature_sets import FeatureSet
from plumbline.training.labels import Label, LabelParams, Truth
from plumbline.training.labels.base import forward_returns


class Linear(Family[Record]):
    """One linear layer over the whole window."""

    def build(self, shape: Shape) -> nn.Module:
        return _Network(shape)


class _Network(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.head = nn.Linear(shape.window_length * shape.features, shape.numbers)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        return self.head(windows.flatten(1))


class MomentumParams(Record):
    lags: tuple[int, ...] = Field((1, 2, 4, 8, 16), description="In bars.")


class Momentum(FeatureSet[MomentumParams]):
    """Log returns over a few lags."""

    Params = MomentumParams

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"return_{lag}" for lag in self.params.lags)

    @property
    def memory(self) -> int:
        return max(self.params.lags)

    def forward(self, bars: torch.Tensor) -> torch.Tensor:
        close = torch.log(bars[..., 4])
        rows = bars.shape[1] - self.memory
        end = close.shape[1]
        returns = [close[:, -rows:] - close[:, end - rows - n : end - n] for n in self.params.lags]
        return torch.stack(returns, dim=-1).float()


class TailsParams(LabelParams):
    share: float = Field(0.2, gt=0, lt=0.5, description="Of the bars in a normal market's tail.")
    volatility: float = Field(0.001, gt=0, description="Of a bar's return, to scale by.")


class Tails(Label[TailsParams]):
    """SELL and BUY where the return is in a normal market's tails, HOLD between."""

    Params = TailsParams

    @property
    def outputs(self) -> tuple[OutputSpec, ...]:
        return (
            OutputSpec(
                name="tail",
                kind="choice",
                horizon_seconds=self.params.horizon_seconds,
                width=3,
                choices=("SELL", "HOLD", "BUY"),
                positions=(-1.0, 0.0, 1.0),
            ),
        )

    def build(self, bars: Bars) -> Truth:
        later, known = forward_returns(bars, self.horizon)
        steps = self.horizon / bars.interval
        edge = NormalDist().inv_cdf(1 - self.params.share) * self.params.volatility * steps**0.5
        choice = np.where(known, 1.0 + (later > edge) - (later < -edge), np.nan)
        return Truth(choice[:, None], np.where(known, bars.time + self.horizon, bars.time), later)
