"""Incident I0's symptom, for real this time: outputs that hardly move."""

from __future__ import annotations

from typing import ClassVar

from plumbline.bundle.finding import Verdict
from plumbline.drills.scenarios.collapse import CollapseDrill


class Flat(CollapseDrill):
    """Serves logits whose probabilities have a standard deviation far below 1e-4."""

    name: ClassVar[str] = "flat"
    expected: ClassVar[tuple[Verdict, ...]] = (Verdict.FLAT,)
    mean: ClassVar[tuple[float, ...]] = (-0.30, 0.60, -0.30)
    std: ClassVar[tuple[float, ...]] = (2e-5, 2e-5, 2e-5)
