"""Model families. To add one, write a module and a line here; `tests/contract` runs over all."""

from __future__ import annotations

from typing import Any

from plumbline.training.families.base import Family, Shape
from plumbline.training.families.bayesian import Bayesian
from plumbline.training.families.ensemble import Ensemble
from plumbline.training.families.flag_trader import FlagTrader
from plumbline.training.families.tfa import Tfa

FAMILIES: dict[str, type[Family[Any]]] = {
    "tfa": Tfa,
    "flag_trader": FlagTrader,
    "bayesian": Bayesian,
    "ensemble": Ensemble,
}

__all__ = ["FAMILIES", "Family", "Shape"]
