"""The vocabulary of the judgement: findings, and the diagnosis they add up to.

The words live here, below every package that speaks them; the judging itself is `diagnosis`. What
is true of a verdict stands in `verdict`.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from plumbline.bundle.record import Record
from plumbline.bundle.verdict import Remedy, Verdict

__all__ = ["Diagnosis", "Finding", "Interval", "Level", "Remedy", "Verdict"]


class Level(StrEnum):
    """How far a statistic is from its threshold."""

    PASS = "pass"  # noqa: S105 - a level, no password
    WARN = "warn"
    FAIL = "fail"
    INSUFFICIENT = "insufficient"


class Interval(Record):
    """A confidence interval."""

    low: float
    high: float
    level: float = Field(0.95, gt=0, lt=1, description="Coverage.")


class Finding(Record):
    """One statistic, measured and compared."""

    name: str = Field(description="The statistic, from docs/glossary.md.")
    level: Level
    value: float | None = Field(description="None where it is undefined, never NaN.")
    threshold: float | None = None
    interval: Interval | None = None
    n: int = Field(ge=0, description="Rows it was computed from.")
    message: str = Field(description="One sentence a person can act on.")
    columns: tuple[str, ...] = Field((), description="The features concerned, where there are any.")
    output: str = Field("", description="The output concerned; empty for the input, or the only.")


class Diagnosis(Record):
    """One verdict with its evidence, its cause and what to do."""

    verdict: Verdict
    remedy: Remedy = Field(
        default_factory=lambda given: given["verdict"].facts.remedy,
        description="That of the verdict.",
    )
    cause: str = Field(description="One sentence: why this verdict and no other.")
    findings: tuple[Finding, ...] = ()
    n: int = Field(ge=0, description="Rows judged.")

    @property
    def sized(self) -> bool:
        """Whether a position size may be suggested under this verdict."""
        return self.verdict.facts.sized

    @property
    def sound(self) -> bool:
        """Whether the model was judged and nothing speaks against it."""
        return self.sized and self.verdict is not Verdict.INSUFFICIENT_DATA
