"""What outcomes have shown, as one value: the page, metrics and findings are made of it."""

from __future__ import annotations

from pydantic import Field

from plumbline.bundle.finding import Finding, Interval, Level
from plumbline.bundle.record import Record


class SkillFigure(Record):
    """One score of one output."""

    name: str = Field(description="As in docs/skill.md.")
    meaning: str
    unit: str
    value: float | None = Field(
        description="Over the newest rows, corrections included; None where there is none."
    )
    interval: Interval | None = Field(
        None, description="Of all moments so far, at all times at once."
    )
    promised: float | None = Field(None, description="The least that the reference promised.")
    n: int = Field(ge=0, description="Moments behind the interval; without one, behind the value.")

    def finding(self, output: str) -> Finding:
        """Return it as people read it among other findings."""
        bad = (
            self.promised is not None
            and self.interval is not None
            and self.interval.high < self.promised
        )
        shown = "not known" if self.value is None else f"{self.value:+.3g} {self.unit}"
        return Finding(
            name=f"skill_{self.name}",
            level=Level.FAIL if bad else Level.PASS if self.interval else Level.INSUFFICIENT,
            value=self.value,
            threshold=self.promised,
            interval=self.interval,
            n=self.n,
            message=f"Outcomes: {shown} {self.meaning}.",
            output=output,
        )


class SkillEvidence(Record):
    """What has been gathered for one verdict."""

    verdict: str
    log_e: float = Field(description="In nats.")
    threshold: float = Field(description="In nats.")
    alarmed: bool


class OutputReport(Record):
    """What outcomes have shown of one output."""

    output: str
    rows: int = Field(description="Predictions whose outcome was bet on.")
    moments: int
    waiting: int = Field(description="Predictions without an outcome yet.")
    promised: int = Field(description="Moments of the reference with a known truth.")
    figures: tuple[SkillFigure, ...] = ()
    evidence: tuple[SkillEvidence, ...] = ()


class SkillReport(Record):
    """What outcomes have shown of a version."""

    version: str
    counts: dict[str, int] = Field(description="Outcomes by what became of them.")
    verdict: str | None = Field(None, description="What they say is the matter, if anything.")
    outputs: tuple[OutputReport, ...] = ()
