"""What the exact checks of answers have found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from plumbline.bundle.array import BoolArray, FloatArray, IntArray
from plumbline.bundle.finding import Finding


@dataclass(frozen=True)
class Checked:
    """The rows of a batch that were replayed.

    Attributes
    ----------
    rows : (m,) int64
        Their places in the batch, ascending.
    differs : (m,) bool
        Whether the logged answer is another than the graph's.
    expected : (m, Σ members · width) float32
        What the graph says.
    misread : (k,) int64
        Places of all rows whose centre, disagreement or decision is not what this version's
        calibration and policy make of the logged raw numbers.
    """

    rows: IntArray
    differs: BoolArray
    expected: FloatArray
    misread: IntArray


@dataclass(frozen=True)
class AnswerFault:
    """Answers that are not this version's answers to the logged inputs: confirmed, and named.

    Attributes
    ----------
    kind
        ``answer``: the raw numbers are not the graph's. ``reading``: they are not read as this
        version reads them.
    symbols
        Whose answers were found wrong.
    everywhere
        Whether no symbol is known whose answers are right.
    row
        Place in the batch just checked at which it was confirmed; -1 if in an earlier one.
    since_rows
        Rows of these symbols from the first wrong one found to the one that confirmed it.
    relation
        How the wrong answers relate to the right ones: ``version``, ``scaled``, ``constant``, …
    share
        Of the rows replayed since the first wrong one, those that are wrong.
    outputs
        The outputs concerned; empty where it is all of them.
    version
        Whose answers they are, where they are another version's.
    cause
        One sentence.
    finding
        The same as a statistic.
    counts
        By symbol: replays since the first wrong one, and how many were wrong.
    """

    kind: Literal["answer", "reading"]
    symbols: tuple[str, ...]
    everywhere: bool
    row: int
    since_rows: int
    relation: str
    share: float
    outputs: tuple[str, ...]
    version: str
    cause: str
    finding: Finding
    counts: Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class Cleared:
    """What replays say of the newest rows of a symbol.

    Attributes
    ----------
    replayed
        How many of them were replayed.
    wrong
        How many of these had another answer than the graph's.
    """

    replayed: int
    wrong: int

    @property
    def right(self) -> bool:
        """Whether rows were replayed and all were right."""
        return self.replayed > 0 and self.wrong == 0
