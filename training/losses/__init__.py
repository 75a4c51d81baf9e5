"""Losses. One of ours is a module and a line here; docs/plugins.md tells of others."""

from __future__ import annotations

from typing import Any

from plumbline.bundle.plugin import Plugins
from plumbline.training.losses.base import Loss
from plumbline.training.losses.cross_entropy import CrossEntropy
from plumbline.training.losses.gaussian import Gaussian
from plumbline.training.losses.logit_adjusted import LogitAdjusted
from plumbline.training.losses.rank_correlation import RankCorrelation
from plumbline.training.losses.squared_error import SquaredError

LOSSES: Plugins[Loss[Any]] = Plugins(
    "losses",
    Loss,
    {
        "cross_entropy": CrossEntropy,
        "logit_adjusted": LogitAdjusted,
        "squared_error": SquaredError,
        "gaussian": Gaussian,
        "rank_correlation": RankCorrelation,
    },
)

__all__ = ["LOSSES", "Loss"]
