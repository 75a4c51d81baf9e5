"""The validation report: what the gate saw and said when the bundle was made."""

from __future__ import annotations

from pydantic import Field

from plumbline.bundle.finding import Diagnosis, Verdict
from plumbline.bundle.record import Record


class ValidationReport(Record):
    """The gate's evidence on held-out rows and, for a retrain, on what was really served."""

    passed: bool = Field(description="Whether the bundle may be promoted without force.")
    validation: Diagnosis = Field(description="Verdict on the validation rows.")
    live: Diagnosis | None = Field(None, description="Verdict on sampled live windows, if any.")
    metrics: dict[str, float] = Field(
        description="log_loss, log_loss_constant, accuracy, majority_share, macro_f1, ece, ..."
    )
    reasons: tuple[str, ...] = Field((), description="Why it did not pass, one sentence each.")
    withheld: str = Field(
        "",
        description="Why its sizes are zero by policy although it may pass: it tells when to stand "
        "aside, and not which way. Empty where sizes are suggested.",
    )
    parted: bool = Field(
        False,
        description="Whether it says something else than the champion of the same served windows "
        "though both were sound: then it waits in the shadow, whatever else was ordered.",
    )

    @property
    def verdict(self) -> Verdict:
        """The verdict that decided: the live one when that is what failed."""
        if self.live is not None and self.validation.sized and not self.live.sized:
            return self.live.verdict
        return self.validation.verdict
