"""What a sequential detector says, for the diagnosis to weigh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from plumbline.bundle.verdict import Accusation, Side, Verdict


@dataclass(frozen=True)
class Evidence:
    """The state of one detector after the newest row.

    Attributes
    ----------
    detector
        Its registered name.
    output
        Which output it watches; empty for the input.
    accuses
        What its alarm says: which fault of the input it is, or that the model is suspect.
    log_e
        Evidence against the null, in nats.
    threshold
        Alarm level, in nats: ``log A``, or the bootstrap threshold where that is higher or where
        the reference is too short for a guarantee.
    alarmed
        Whether the threshold has been reached since the last reset.
    onset : int
        Rows ago that the evidence began to grow; the estimated start of the episode. Of the rows of
        ``symbols``, if there are any.
    n : int
        Rows seen since the last reset.
    columns
        The features concerned, where there are any.
    symbols
        Whose own evidence has alone reached the threshold since the last reset; none where only all
        symbols together have.
    """

    detector: str
    accuses: Accusation
    log_e: float
    threshold: float
    alarmed: bool
    onset: int
    n: int
    columns: tuple[str, ...] = ()
    output: str = ""
    symbols: tuple[str, ...] = ()

    @property
    def subject(self) -> Literal["input", "output"]:
        """Whether it watches what the model is given, or what the model says."""
        return "input" if of_input(self.accuses) else "output"


def by_name(evidence: Sequence[Evidence]) -> dict[str, Evidence]:
    """Return evidence by detector, and by output where more than one is watched: ``gain h6``."""
    several = len({item.output for item in evidence if item.output}) > 1
    return {
        f"{item.detector} {item.output}".strip() if several else item.detector: item
        for item in evidence
    }


def of_input(accusation: Accusation) -> bool:
    """Whether it is the input that is accused."""
    return accusation is Side.CLIENT or (
        isinstance(accusation, Verdict) and accusation.facts.of_input
    )
