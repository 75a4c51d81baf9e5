"""What a drill reports."""

from __future__ import annotations

from pydantic import Field

from plumbline.bundle.record import Record


class DrillResult(Record):
    """One drill: what was expected, what was said and done, and whether anything was lost."""

    name: str
    expected: str = Field(description="Verdicts that count as right, separated by `|`.")
    verdict: str = Field(
        description="What the monitor said of the fault, or of the healthy stream."
    )
    detected_after_predictions: int | None = Field(
        description="Predictions from the first faulty one to the one that decided the verdict."
    )
    retrains: int = Field(ge=0, description="Trainings launched.")
    recovered_seconds: float | None = Field(description="From the verdict to `healthy` again.")
    requests: int = Field(ge=0)
    failed_requests: int = Field(ge=0, description="Not answered, after one retry on a reset.")
    rows_acknowledged: int = Field(ge=0, description="Predictions answered with 200.")
    rows_in_log: int = Field(ge=0, description="Of those, the ones found in the log.")
    seconds: float = Field(ge=0, description="Duration of the drill.")
    shortfalls: tuple[str, ...] = Field((), description="What fell short; empty when it passed.")

    @property
    def passed(self) -> bool:
        """Whether nothing fell short."""
        return not self.shortfalls


class DrillReport(Record):
    """All drills of one run."""

    drills: tuple[DrillResult, ...]
