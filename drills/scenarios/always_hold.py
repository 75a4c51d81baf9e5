"""Incident I1: 100 % HOLD on 9,073 bars, with logits that varied all the while."""

from __future__ import annotations

from typing import ClassVar

from plumbline.bundle.finding import Verdict
from plumbline.drills.scenarios.collapse import CollapseDrill


class AlwaysHold(CollapseDrill):
    """Serves the logits of incident I1."""

    name: ClassVar[str] = "always-hold"
    expected: ClassVar[tuple[Verdict, ...]] = (Verdict.DOMINANT_ACTION,)
    mean: ClassVar[tuple[float, ...]] = (-5.64, 5.04, -1.51)
    std: ClassVar[tuple[float, ...]] = (0.66, 1.01, 1.56)
