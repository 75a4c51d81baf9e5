"""The gate: what a model must show before it may serve. Begin with `judge.py`."""

from __future__ import annotations

from plumbline.training.gate.ground import Ground
from plumbline.training.gate.judge import judge
from plumbline.training.gate.rows import Answer, sample_of
from plumbline.training.gate.served import accuses, input_clean, judge_live, reason_of

__all__ = [
    "Answer",
    "Ground",
    "accuses",
    "input_clean",
    "judge",
    "judge_live",
    "reason_of",
    "sample_of",
]
