"""The numbers at which a statistic becomes a finding.

What a statistic itself needs, lengths of windows and blocks, orders and floors, stands with it;
thresholds of detectors are among the detector's own parameters.
"""

from __future__ import annotations

from pydantic import Field

from plumbline.bundle.record import Record


class Thresholds(Record):
    """Defaults, each with the report or the measurement behind it (docs/diagnosis.md)."""

    min_rows: int = Field(50, ge=2, description="Fewer rows than this are not judged.")
    share_rows: int = Field(200, ge=2, description="Rows before a share alone may accuse.")
    accused_rows: int = Field(
        60, ge=2, description="Rows since the onset of an alarm before the model is named."
    )
    flat_spread: float = Field(1e-4, gt=0, description="Probability std: flat below.")
    thin_spread: float = Field(1e-3, gt=0, description="Probability std: warn below.")
    lost_gain: float = Field(
        0.3, gt=0, lt=1, description="Flat when the gain falls below this part of the reference's."
    )
    raised_gain: float = Field(
        2.0, gt=1, description="Scale fault when the gain exceeds the reference's this many times."
    )
    dominant_share: float = Field(
        0.98, gt=0, lt=1, description="Wilson lower bound of the largest action share: fail."
    )
    leaning_share: float = Field(
        0.90, gt=0, lt=1, description="The same: warn; or fail once a detector has alarmed."
    )
    tilted_share: float = Field(
        0.75, gt=0, lt=1, description="The same, where the offset is beyond any imbalance: fail."
    )
    pinned_confidence: float = Field(0.999, gt=0, lt=1, description="A row is pinned above.")
    pinned_share: float = Field(0.95, gt=0, lt=1, description="Saturated from this share of rows.")
    low_entropy: float = Field(0.30, gt=0, lt=1, description="Action entropy / log k: warn below.")
    low_information: float = Field(
        0.02, ge=0, description="Mutual information in nats: warn below; it only corroborates."
    )
    offset_ratio: float = Field(
        2.0,
        gt=0,
        description="Offset over prior log-odds: an imbalance up to here, a fault beyond.",
    )
    offset_warning: float = Field(1.0, gt=0, description="The same: warn beyond.")
    offset_floor: float = Field(0.35, gt=0, description="Nats; smaller offsets do not matter.")
    envelope_slack: float = Field(
        1.5, ge=1, description="How far beyond the widest reference window is still the reference."
    )
    repeated_share: float = Field(0.5, gt=0, lt=1, description="Of identical inputs: frozen above.")
    stale_share: float = Field(
        0.9,
        gt=0,
        le=1,
        description="A column is stale when it keeps its value in this share of rows.",
    )
    drift_psi: float = Field(0.25, gt=0, description="Population stability index: drifted above.")
    drift_columns: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Share of the columns that must have drifted beyond the reference.",
    )
    drift_rows: int = Field(250, ge=50, description="Rows before drift is judged.")
    leak_margin: float = Field(0.25, gt=0, description="Accuracy above the majority: too good.")
    probe_margin: float = Field(0.05, gt=0, description="The same for a probe on shuffled labels.")
    labelled_rows: int = Field(200, ge=10, description="Labels before skill is judged.")
    skill_level: float = Field(
        0.90, gt=0, lt=1, description="Level of the bootstrap interval of the log-loss skill."
    )
