"""Labels: what the classes mean. To add one, write a module and a line here."""

from __future__ import annotations

from typing import Any

from plumbline.training.labels.base import CLASSES, MASKED, Label, LabelParams, Labels
from plumbline.training.labels.forward_return import ForwardReturn

LABELS: dict[str, type[Label[Any]]] = {
    "forward_return": ForwardReturn,
}

__all__ = ["CLASSES", "LABELS", "MASKED", "Label", "LabelParams", "Labels"]
