"""Feature sets of a stranger: a sound one, and some that break a promise."""

from __future__ import annotations

import torch
from typing_extensions import override

from plumbline.bundle.record import Record
from plumbline.training.feature_sets import FeatureSet


class Momentum(FeatureSet[Record]):
    """Two columns: the last return, and the return over eight bars."""

    names = ("return_1", "return_8")
    memory = 8

    @override
    def forward(self, bars):
        close = torch.log(bars[..., 4])
        rows = bars.shape[1] - 8
        newest = close[:, -rows:]
        columns = [newest - close[:, -rows - lag : close.shape[1] - lag] for lag in (1, 8)]
        return torch.stack(columns, dim=-1).float()


class LooksAhead(Momentum):
    """The second column knows the next close, where there is one."""

    @override
    def forward(self, bars):
        found = super().forward(bars).clone()
        close = torch.log(bars[:, self.memory :, 4]).float()
        found[:, :-1, 1] = close[:, 1:] - close[:, :-1]
        return found


class NeverForgets(Momentum):
    """The second column is an exponential average over everything there is."""

    @override
    def forward(self, bars):
        close = torch.log(bars[..., 4])
        age = torch.arange(bars.shape[1] - 1, -1, -1, dtype=torch.float64)
        grown = 0.95**age
        average = (close * grown).cumsum(dim=1) / grown.cumsum(dim=0)
        found = super().forward(bars).clone()
        found[..., 1] = (close - average)[:, self.memory :].float()
        return found


class Standardised(Momentum):
    """Both columns are centred over all rows that happen to be there."""

    @override
    def forward(self, bars):
        found = super().forward(bars)
        return found - found.mean(dim=1, keepdim=True)


class RemembersMore(Momentum):
    """Says it needs fewer bars than it looks at: rows before the first are taken to be equal."""

    memory = 3

    @override
    def forward(self, bars):
        first = bars[:, :1].expand(-1, 5, -1)
        return super().forward(torch.cat([first, bars], dim=1))


class SeesItsNeighbours(Momentum):
    """Subtracts the mean of the batch."""

    @override
    def forward(self, bars):
        found = super().forward(bars)
        return found - found.mean(dim=0, keepdim=True)


class OneColumnShort(Momentum):
    """Gives two columns for three names."""

    names = ("return_1", "return_8", "return_24")


class Double(Momentum):
    """Gives double precision."""

    @override
    def forward(self, bars):
        return super().forward(bars).double()


class Fails(Momentum):
    """Looks for a column that is not there."""

    @override
    def forward(self, bars):
        return super().forward(bars[..., :3])


class SameNameTwice(Momentum):
    """Two columns, one name."""

    names = ("return", "return")
