"""How many rows each check has looked at, and whose fault it was where one found otherwise."""

from __future__ import annotations

from dataclasses import dataclass

CHECKS = {"answers": "model", "readings": "model", "windows": "client"}
"""Whose fault a mismatch is, by check.

``answers`` asks the graph again, ``readings`` calibrates and decides again, ``windows`` holds rows
against the others of their symbol.
"""


@dataclass
class Tally:
    """Counts of one version, by check; they only grow.

    Attributes
    ----------
    rows
        Looked at.
    mismatches
        Rows that came out otherwise; of windows, the faults of clients that were confirmed.
    """

    rows: dict[str, int]
    mismatches: dict[str, int]

    @classmethod
    def empty(cls) -> Tally:
        """Return the counts before any row."""
        return cls(dict.fromkeys(CHECKS, 0), dict.fromkeys(CHECKS, 0))

    def add(self, check: str, rows: int, mismatches: int) -> None:
        """Take in what a check has found in some rows."""
        self.rows[check] += rows
        self.mismatches[check] += mismatches
