"""Incident I4: the retrained model said SELL instead, just as always."""

from __future__ import annotations

from typing import ClassVar

from plumbline.bundle.finding import Verdict
from plumbline.drills.scenarios.collapse import CollapseDrill


class AlwaysSell(CollapseDrill):
    """Serves the logits of incident I4: SELL 4.0..5.4, HOLD -0.5..1.1, BUY -2.5..-4.8.

    The ranges are taken as four standard deviations wide.
    """

    name: ClassVar[str] = "always-sell"
    expected: ClassVar[tuple[Verdict, ...]] = (Verdict.DOMINANT_ACTION,)
    mean: ClassVar[tuple[float, ...]] = (4.70, 0.30, -3.65)
    std: ClassVar[tuple[float, ...]] = (0.35, 0.40, 0.58)
