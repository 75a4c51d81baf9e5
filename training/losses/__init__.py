"""Losses. To add one, write a module and a line here; `tests/contract` runs over both."""

from __future__ import annotations

from typing import Any

from plumbline.training.losses.base import Loss
from plumbline.training.losses.cross_entropy import CrossEntropy
from plumbline.training.losses.logit_adjusted import LogitAdjusted

LOSSES: dict[str, type[Loss[Any]]] = {
    "cross_entropy": CrossEntropy,
    "logit_adjusted": LogitAdjusted,
}

__all__ = ["LOSSES", "Loss"]
