"""The vocabulary of the judgement: verdicts, findings, and the diagnosis they add up to.

The words live here, below every package that speaks them; the judging itself is `diagnosis`.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from plumbline.bundle.record import Record


class Verdict(StrEnum):
    """What is, or is not, the matter. Exactly one holds at a time."""

    HEALTHY = "healthy"
    INSUFFICIENT_DATA = "insufficient_data"
    FLAT = "flat"
    DOMINANT_ACTION = "dominant_action"
    SATURATED = "saturated"
    BIAS_SHIFT = "bias_shift"
    SCHEMA_SKEW = "schema_skew"
    FROZEN_FEED = "frozen_feed"
    STALE_FEATURES = "stale_features"
    ARTEFACT_FAULT = "artefact_fault"
    REGIME = "regime"
    DRIFT = "drift"
    NO_SIGNAL = "no_signal"
    LEAK = "leak"


class Remedy(StrEnum):
    """What a verdict asks for."""

    NONE = "none"
    RETRAIN = "retrain"
    RECALIBRATE = "recalibrate"
    ROLL_BACK = "roll_back"
    PAGE = "page"
    REPORT = "report"
    REFUSE = "refuse"


REMEDIES: dict[Verdict, Remedy] = {
    Verdict.HEALTHY: Remedy.NONE,
    Verdict.INSUFFICIENT_DATA: Remedy.NONE,
    Verdict.REGIME: Remedy.NONE,
    Verdict.FLAT: Remedy.RETRAIN,
    Verdict.DOMINANT_ACTION: Remedy.RETRAIN,
    Verdict.SATURATED: Remedy.RETRAIN,
    Verdict.BIAS_SHIFT: Remedy.RECALIBRATE,
    Verdict.SCHEMA_SKEW: Remedy.PAGE,
    Verdict.FROZEN_FEED: Remedy.PAGE,
    Verdict.STALE_FEATURES: Remedy.PAGE,
    Verdict.ARTEFACT_FAULT: Remedy.ROLL_BACK,
    Verdict.DRIFT: Remedy.REPORT,
    Verdict.NO_SIGNAL: Remedy.REFUSE,
    Verdict.LEAK: Remedy.REFUSE,
}

SIZED: frozenset[Verdict] = frozenset(
    {Verdict.HEALTHY, Verdict.INSUFFICIENT_DATA, Verdict.REGIME, Verdict.DRIFT}
)
"""Verdicts under which a position size may be suggested; under all others it is zero."""


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
    remedy: Remedy
    cause: str = Field(description="One sentence: why this verdict and no other.")
    findings: tuple[Finding, ...] = ()
    n: int = Field(ge=0, description="Rows judged.")

    @property
    def sized(self) -> bool:
        """Whether a position size may be suggested under this verdict."""
        return self.verdict in SIZED
