"""What the alarms of a moment say together: of whom, and of what."""

from __future__ import annotations

from collections.abc import Sequence

from plumbline.bundle.verdict import Side, Verdict
from plumbline.diagnosis.evidence import Evidence


def names_input_fault(evidence: Sequence[Evidence]) -> bool:
    """Whether an alarm names a fault of the input, and does not only doubt the columns."""
    return any(
        each.alarmed and isinstance(each.accuses, Verdict) and each.subject == "input"
        for each in evidence
    )


def doubts_columns(evidence: Sequence[Evidence]) -> bool:
    """Whether an alarm doubts the relation of the columns."""
    return any(each.alarmed for each in evidence if each.accuses is Side.CLIENT)


def accused_symbols(evidence: Sequence[Evidence], subject: str) -> tuple[str, ...]:
    """Return the symbols whose own evidence is an alarm; none where all of them are meant."""
    alarmed = [each for each in evidence if each.alarmed and each.subject == subject]
    if any(not each.symbols for each in alarmed):
        return ()
    return tuple(dict.fromkeys(symbol for each in alarmed for symbol in each.symbols))
