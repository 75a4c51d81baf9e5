"""What the monitor knows, as one value: the status page draws it, ``/api/status`` prints it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

from pydantic import Field

from plumbline.bundle.finding import Diagnosis, Finding
from plumbline.bundle.record import Record
from plumbline.diagnosis.evidence import Evidence, by_name
from plumbline.diagnosis.exact.recomputed import Recomputed
from plumbline.monitoring.page.ahead import Ahead
from plumbline.monitoring.page.holdings import Holdings
from plumbline.monitoring.watching.chart import Band, Point, Shift
from plumbline.monitoring.watching.crowd import Parties
from plumbline.monitoring.watching.skill.report import SkillReport
from plumbline.store.incident import Incident

MAX_INCIDENTS = 20


class EvidenceState(Record):
    """One detector: what it has gathered and what it needs."""

    detector: str
    subject: str
    log_e: float = Field(description="In nats.")
    threshold: float = Field(description="In nats.")
    alarmed: bool
    columns: tuple[str, ...]


class CanaryState(Record):
    """How the newest canary came back."""

    result: str
    detail: str


class DriftState(Record):
    """What the newest drift report found."""

    version: str
    drifted: tuple[str, ...]
    columns: int


class MessageState(Record):
    """How telling people goes."""

    receiver: str = Field(description="The host that messages go to; empty if it is not known.")
    waiting: int = Field(description="Messages that are still to be sent.")
    failures: int = Field(description="Attempts in a row that failed.")
    detail: str = Field(description="What came of the newest attempt.")
    last_sent: datetime | None = None


class Measurement(Record):
    """One look at the stream: what was found, and the evidence of the same moment."""

    rows: int = Field(description="Predictions judged until then.")
    time: datetime | None = Field(None, description="When the last of them was answered.")
    findings: tuple[Finding, ...] = ()
    evidence: tuple[EvidenceState, ...] = ()


class WatchState(Record):
    """The version that is watched."""

    version: str
    generation: int
    promoted: datetime
    promoted_by: str
    reason: str
    parent: str | None
    actions: tuple[str, ...]
    reference_shares: tuple[float, ...]
    reference_spread: float | None
    reference_rows: int
    share_bands: tuple[Band, ...] = Field((), description="Of stretches of the reference.")
    spread_band: Band | None = None
    guaranteed: bool = Field(description="Whether a false-alarm bound can be given.")
    rows: int = Field(description="Predictions judged since it was promoted.")
    diagnosis: Diagnosis
    since: datetime = Field(description="Since when this has been the verdict.")
    given_up: bool = Field(
        False, description="Whether a person was called about it, and nothing more is tried."
    )
    evidence: tuple[EvidenceState, ...] = Field(description="Of now.")
    measured: Measurement = Field(
        description="The newest look: findings, and evidence as it was then."
    )
    shifts: tuple[Shift, ...] = Field((), description="Columns farthest from the reference.")
    points: tuple[Point, ...]
    withheld: str = Field("", description="Why sizes are zero by policy, whatever the verdict.")


class ChallengerState(Record):
    """The version in shadow."""

    version: str
    since: datetime
    put_by: str
    reason: str
    incident: str | None = Field(None, description="The incident it is to end, if one.")
    rows: int = Field(description="Its answers that were judged.")
    silent: int = Field(description="Requests it had no finite answer to.")
    pairs: int = Field(description="Requests that the champion and it have answered.")
    agreement: float | None = Field(None, description="Share of them in which they do the same.")
    distance: float | None = Field(None, description="Mean difference of their positions.")
    diagnosis: Diagnosis


class Status(Record):
    """Everything the status page shows."""

    model: str
    time: datetime
    leads: bool = Field(description="Whether this monitor acts, or another one does.")
    error: str | None = Field(None, description="Why the newest round failed, if it did.")
    watch: WatchState | None = Field(None, description="None before there is a champion.")
    challenger: ChallengerState | None = Field(None, description="None while no shadow is on.")
    lag_seconds: float | None = None
    last_row: datetime | None = None
    canary: CanaryState | None = None
    drift: DriftState | None = None
    skill: SkillReport | None = Field(None, description="What outcomes have shown.")
    recomputed: Recomputed | None = Field(
        None, description="What came of computing inputs again; None before that was done."
    )
    incidents: tuple[Incident, ...] = Field((), description="Newest first.")
    ahead: tuple[Ahead, ...] = Field((), description="What happens next, the soonest first.")
    symbols: Parties = Field(Parties(), description="The most unusual first.")
    clients: Parties = Field(Parties(), description="The most unusual first.")
    messages: MessageState | None = Field(None, description="None where people are told nothing.")
    holdings: Holdings = Field(Holdings(), description="What the store has of this model.")


def evidence_states(evidence: Sequence[Evidence]) -> tuple[EvidenceState, ...]:
    """Return evidence as people read it: what speaks for the null is no evidence, so it is 0."""
    return tuple(
        EvidenceState(
            detector=name,
            subject=item.subject,
            log_e=max(item.log_e, 0.0) if math.isfinite(item.log_e) else 0.0,
            threshold=item.threshold,
            alarmed=item.alarmed,
            columns=item.columns,
        )
        for name, item in by_name(evidence).items()
        if math.isfinite(item.threshold)
    )
