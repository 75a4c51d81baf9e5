"""What the exact checks of the input have found: who sends what wrong, and since when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from plumbline.bundle.finding import Finding, Level
from plumbline.bundle.verdict import Verdict
from plumbline.diagnosis.exact.relation import Difference

ClientFaultKind: TypeAlias = Literal["history", "change", "late", "phase"]
"""A history that is not the stream's; last steps computed another way from a row on; a feed behind
its clock; columns of the time of day that are those of another time."""


@dataclass(frozen=True)
class ClientFault:
    """Something a client does wrong, confirmed.

    Attributes
    ----------
    symbol, client
        Whose; an empty symbol means all of the client's.
    row
        Place, in the batch just taken, of the row at which it was confirmed, or was over.
    since_rows
        Rows of the symbol from the onset to that row, both included.
    kind
        What is wrong.
    cause
        One sentence.
    columns
        Concerned; empty where it is all of them.
    finding
        For the diagnosis.
    difference
        How the columns are wrong; None for a late feed.
    verdict
        Which verdict it is: ``schema_skew``, or ``stale_features`` for columns that stand still.
    """

    symbol: str
    client: str
    row: int
    since_rows: int
    kind: ClientFaultKind
    cause: str
    columns: tuple[str, ...]
    finding: Finding
    difference: Difference | None = None
    verdict: Verdict = Verdict.SCHEMA_SKEW


class Faults:
    """What a check has confirmed and what has ended, each handed out once."""

    def __init__(self) -> None:
        self._found: list[ClientFault] = []
        self._over: list[ClientFault] = []

    def findings(self) -> list[ClientFault]:
        """Return the faults confirmed since the last call."""
        found, self._found = self._found, []
        return found

    def recovered(self) -> list[ClientFault]:
        """Return the faults that have ended since the last call."""
        over, self._over = self._over, []
        return over


def finding(name: str, value: float, n: int, cause: str, columns: tuple[str, ...]) -> Finding:
    """Return the finding of a fault: by its nature it fails."""
    return Finding(
        name=name,
        level=Level.FAIL,
        value=value,
        threshold=0.0,
        n=n,
        message=cause,
        columns=columns,
    )
