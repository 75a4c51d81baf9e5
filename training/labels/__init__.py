"""Labels: what the classes mean. One of ours is a module and a line here; docs/plugins.md."""

from __future__ import annotations

from typing import Any

from plumbline.bundle.plugin import Plugins
from plumbline.training.labels.base import CLASSES, MASKED, Label, LabelParams, Labels
from plumbline.training.labels.forward_return import ForwardReturn

LABELS: Plugins[Label[Any]] = Plugins(
    "labels",
    Label,
    {
        "forward_return": ForwardReturn,
    },
)

__all__ = ["CLASSES", "LABELS", "MASKED", "Label", "LabelParams", "Labels"]
