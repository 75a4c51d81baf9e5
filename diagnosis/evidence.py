"""What a sequential detector says, for the diagnosis to weigh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Evidence:
    """The state of one detector after the newest row.

    Attributes
    ----------
    detector
        Its registered name.
    output
        Which output it watches; empty for the input.
    subject
        Whether it watches what the model says or what the model is given.
    log_e
        Evidence against the null, in nats.
    threshold
        Alarm level, in nats: ``log A``, or the bootstrap threshold where that is higher or where
        the reference is too short for a guarantee.
    alarmed
        Whether the threshold has been reached since the last reset.
    onset : int
        Rows ago that the evidence began to grow; the estimated start of the episode.
    n : int
        Rows seen since the last reset.
    columns
        The features concerned, where there are any.
    """

    detector: str
    subject: Literal["output", "input"]
    log_e: float
    threshold: float
    alarmed: bool
    onset: int
    n: int
    columns: tuple[str, ...] = ()
    output: str = ""

    @property
    def label(self) -> str:
        """The detector and, if it watches one, the output: ``gain h6``."""
        return f"{self.detector} {self.output}".strip()
