"""Labels: what came true. One of ours is a module and a line here; docs/plugins.md."""

from __future__ import annotations

from typing import Any

from plumbline.bundle.plugin import Plugins
from plumbline.training.labels.base import Label, LabelParams, Truth
from plumbline.training.labels.cross_section import CrossSection
from plumbline.training.labels.forward_return import ForwardReturn
from plumbline.training.labels.return_bands import ReturnBands
from plumbline.training.labels.returns import Returns

LABELS: Plugins[Label[Any]] = Plugins(
    "labels",
    Label,
    {
        "forward_return": ForwardReturn,
        "return_bands": ReturnBands,
        "returns": Returns,
        "cross_section": CrossSection,
    },
)

__all__ = ["LABELS", "Label", "LabelParams", "Truth"]
