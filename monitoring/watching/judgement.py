"""What the watch says: a verdict, the row that decided it, and the evidence there was."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from plumbline.bundle.finding import Diagnosis, Verdict
from plumbline.diagnosis.evidence import Evidence
from plumbline.monitoring.watching.schedule import HEALTHY_ROWS


@dataclass(frozen=True)
class Judgement:
    """A verdict, and the row that decided it.

    Attributes
    ----------
    diagnosis
        The verdict, its findings and its cause.
    decided_by
        Prediction id of the row at which it was reached; None before any row.
    detected_after
        Rows from the estimated onset to that row, both included; 0 where nothing is the matter.
    rows
        Rows of the version judged until then, retries and stragglers left out.
    evidence
        Of every detector.
    onset, decided
        When the row of the estimated onset and the row that decided were answered; None where no
        row at hand says it.
    """

    diagnosis: Diagnosis
    decided_by: str | None
    detected_after: int
    rows: int
    evidence: tuple[Evidence, ...] = ()
    onset: datetime | None = None
    decided: datetime | None = None

    @property
    def verdict(self) -> Verdict:
        """The verdict alone."""
        return self.diagnosis.verdict

    def replaced(self, diagnosis: Diagnosis, *, detected_after: int = 0) -> Judgement:
        """Return what somebody says who has not read it from rows, in place of this."""
        return replace(
            self,
            diagnosis=diagnosis,
            decided_by=None,
            detected_after=detected_after,
            onset=None,
            decided=None,
        )


def waiting() -> Judgement:
    """Return what is said before there are rows enough to say anything."""
    diagnosis = Diagnosis(
        verdict=Verdict.INSUFFICIENT_DATA,
        cause=f"Fewer than {HEALTHY_ROWS} predictions of this version have been seen.",
        n=0,
    )
    return Judgement(diagnosis, decided_by=None, detected_after=0, rows=0)
