"""Model families. One of ours is a module and a line here; docs/plugins.md tells of others."""

from __future__ import annotations

from typing import Any

from plumbline.bundle.plugin import Plugins
from plumbline.training.families.base import Family, Shape
from plumbline.training.families.bayesian import Bayesian
from plumbline.training.families.ensemble import Ensemble
from plumbline.training.families.flag_trader import FlagTrader
from plumbline.training.families.tfa import Tfa

FAMILIES: Plugins[Family[Any]] = Plugins(
    "families",
    Family,
    {
        "tfa": Tfa,
        "flag_trader": FlagTrader,
        "bayesian": Bayesian,
        "ensemble": Ensemble,
    },
)

__all__ = ["FAMILIES", "Family", "Shape"]
