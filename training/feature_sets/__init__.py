"""Feature sets: what a model is shown. One of ours is a module and a line here."""

from __future__ import annotations

from typing import Any

from plumbline.bundle.plugin import Plugins
from plumbline.training.feature_sets.base import FeatureSet
from plumbline.training.feature_sets.intraday_31 import Intraday31
from plumbline.training.feature_sets.multi_scale import MultiScale

FEATURE_SETS: Plugins[FeatureSet[Any]] = Plugins(
    "feature_sets",
    FeatureSet,
    {
        "intraday_31": Intraday31,
        "multi_scale": MultiScale,
    },
)

__all__ = ["FEATURE_SETS", "FeatureSet"]
