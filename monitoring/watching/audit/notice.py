"""What the exact checks have to say of a row: that something is wrong, or is right again."""

from __future__ import annotations

from dataclasses import dataclass

from plumbline.bundle.finding import Finding
from plumbline.bundle.verdict import Verdict


@dataclass(frozen=True)
class Notice:
    """Spoken at one row.

    Attributes
    ----------
    place
        Of the row in the batch that was audited.
    verdict
        Whose fault it is; `ARTEFACT_FAULT` of the answers, or one of the input.
    ended
        Whether it is over.
    cause, finding
        What was found; the finding is None where it is over.
    since
        Rows from the onset to this row, both included.
    """

    place: int
    verdict: Verdict
    ended: bool = False
    cause: str = ""
    finding: Finding | None = None
    since: int = 0
