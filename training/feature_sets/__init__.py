"""Feature sets: what a model is shown. To add one, write a module and a line here."""

from __future__ import annotations

from typing import Any

from plumbline.training.feature_sets.base import FeatureSet
from plumbline.training.feature_sets.intraday_31 import Intraday31
from plumbline.training.feature_sets.multi_scale import MultiScale

FEATURE_SETS: dict[str, type[FeatureSet[Any]]] = {
    "intraday_31": Intraday31,
    "multi_scale": MultiScale,
}

__all__ = ["FEATURE_SETS", "FeatureSet"]
