"""Is the input what it was? From the row that shows it is not, to the row that ends the episode.

While the input is broken nothing is held against the model. An episode is opened by an input
detector at the row of its alarm, by columns that no longer relate as they did, or by arithmetic. It
ends after so many clean rows in a row of the symbols it is about. One found by relation ends only
if their newest rows relate again; one found by arithmetic when arithmetic says so, or when somebody
accepts the new inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

import numpy as np

from plumbline.bundle.array import AnyArray, BoolArray
from plumbline.bundle.finding import Diagnosis, Verdict

CLEAN_ROWS = 20
"""Clean rows in a row before an input verdict is lifted."""

RECENT_ROWS = 60
"""Rows of one stretch: two of them must relate as they did before an episode by relation ends."""


UNHEARD_ROWS = 10_000
"""Rows without one of the symbols an episode is about: they are gone, and it ends."""


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
    symbols
        Whose input it is; none where all are meant. The rows of others end nothing.
    clean
        Clean rows of theirs in a row.
    unheard
        Rows since the last one of theirs.
    """

    verdict: Verdict
    opening: Opening
    symbols: tuple[str, ...] = ()
    clean: int = 0
    unheard: int = 0

    @property
    def pending(self) -> int:
        """How many clean rows are still missing; many where no number of them ends it."""
        if self.opening is Opening.ARITHMETIC:
            return 10**9
        return max(min(CLEAN_ROWS - self.clean, UNHEARD_ROWS - self.unheard), 1)

    def endure(self, broken: BoolArray, symbol: AnyArray) -> bool:
        """Take rows, no more than `pending`; true when clean rows enough have passed."""
        if self.opening is Opening.ARITHMETIC:
            return False
        own = np.ones(len(broken), bool)
        if self.symbols:
            own = np.isin(symbol, list(self.symbols))
        heard, bad = np.flatnonzero(own), np.flatnonzero(broken[own])
        self.clean = len(heard) - 1 - int(bad[-1]) if len(bad) else self.clean + len(heard)
        self.unheard = len(own) - 1 - int(heard[-1]) if len(heard) else self.unheard + len(own)
        return self.clean >= CLEAN_ROWS or self.unheard >= UNHEARD_ROWS

    def go_on(self) -> None:
        """Wait for clean rows anew."""
        self.clean = self.unheard = 0

    def take_in(self, symbols: Sequence[str]) -> bool:
        """Let it be about these symbols too; true, and clean rows count anew, if some are new."""
        if not self.symbols or set(symbols) <= set(self.symbols):
            return False
        self.symbols = tuple(dict.fromkeys((*self.symbols, *symbols)))
        self.go_on()
        return True


def still_foreign(diagnosis: Diagnosis) -> bool:
    """Whether some columns are still not what they were, whatever the verdict."""
    return diagnosis.verdict.facts.of_input or any(
        each.columns for each in diagnosis.findings if each.name == "foreign_columns"
    )
