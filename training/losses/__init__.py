"""Losses. To add one, write a module and a line here; `tests/contract` runs over all."""

from __future__ import annotations

from typing import Any

from plumbline.training.losses.base import Loss
from plumbline.training.losses.cross_entropy import CrossEntropy
from plumbline.training.losses.gaussian import Gaussian
from plumbline.training.losses.logit_adjusted import LogitAdjusted
from plumbline.training.losses.rank_correlation import RankCorrelation
from plumbline.training.losses.squared_error import SquaredError

LOSSES: dict[str, type[Loss[Any]]] = {
    "cross_entropy": CrossEntropy,
    "logit_adjusted": LogitAdjusted,
    "squared_error": SquaredError,
    "gaussian": Gaussian,
    "rank_correlation": RankCorrelation,
}

__all__ = ["LOSSES", "Loss"]
