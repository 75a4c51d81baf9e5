"""Is the input what it was? From the row that shows it is not, to the row that ends the episode.

While the input is broken nothing is held against the model. An episode is opened by an input
detector at the row of its alarm, by columns that no longer relate as they did, or by arithmetic. It
ends after so many clean rows in a row. One found by relation ends only if the newest rows relate
again; one found by arithmetic when arithmetic says so, or when somebody accepts the new inputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

import numpy as np

from plumbline.bundle.array import BoolArray
from plumbline.bundle.finding import Diagnosis, Verdict

CLEAN_ROWS = 20
"""Clean rows in a row before an input verdict is lifted."""

RECENT_ROWS = 60
"""Rows of one stretch: two of them must relate as they did before an episode by relation ends."""


class Opening(Enum):
    """What has opened an episode."""

    ALARM = auto()
    RELATION = auto()
    ARITHMETIC = auto()


@dataclass
class Episode:
    """A stretch of broken input.

    Attributes
    ----------
    verdict, opening
        What it is, and how that was found.
    clean
        Clean rows in a row.
    """

    verdict: Verdict
    opening: Opening
    clean: int = 0

    @property
    def pending(self) -> int:
        """How many clean rows are still missing; many where no number of them ends it."""
        return 10**9 if self.opening is Opening.ARITHMETIC else max(CLEAN_ROWS - self.clean, 1)

    def endure(self, broken: BoolArray) -> bool:
        """Take rows, no more than `pending`; true when clean rows enough have passed."""
        if self.opening is Opening.ARITHMETIC:
            return False
        bad = np.flatnonzero(broken)
        self.clean = len(broken) - 1 - int(bad[-1]) if len(bad) else self.clean + len(broken)
        return self.clean >= CLEAN_ROWS

    def go_on(self) -> None:
        """Wait for clean rows anew."""
        self.clean = 0


def still_foreign(diagnosis: Diagnosis) -> bool:
    """Whether some columns are still not what they were, whatever the verdict."""
    return diagnosis.verdict.facts.of_input or any(
        each.columns for each in diagnosis.findings if each.name == "foreign_columns"
    )
