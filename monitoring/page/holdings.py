"""What the store has of a model, as the page shows it: versions, reports, trainings, decisions."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from plumbline.bundle.finding import Verdict
from plumbline.bundle.record import Record
from plumbline.store.acceptance import Acceptance
from plumbline.store.acknowledgement import Acknowledgement

MAX_REPORTS = 10


class ReportLink(Record):
    """A report in the store."""

    name: str
    kind: str
    time: datetime


class RunLink(Record):
    """A training in the store, and how it ended."""

    id: str
    kind: str = "training"
    time: datetime | None = None
    end: str | None = Field(None, description="None while it goes on, or if it was killed.")
    version: str | None = None


class Move(Record):
    """One move of the champion alias."""

    version: str
    time: datetime
    actor: str
    reason: str
    rollback: bool = False
    incident: str | None = None


class VersionLine(Record):
    """One version: where it comes from, what its gate said, and what was said of it since."""

    version: str
    created: datetime | None = None
    parent: str | None = None
    family: str = ""
    role: str = Field("", description="champion, shadow, former champion, or nothing.")
    passed: bool | None = Field(None, description="Whether its gate let it pass.")
    gate: Verdict | None = None
    verdict: Verdict | None = Field(None, description="The monitor's last word about it.")
    incident: str | None = Field(None, description="The incident it was made for, if for one.")
    why: str = Field("", description="Why it was made or promoted, in words.")
    problem: str = Field("", description="Why its manifest cannot be read.")


class Holdings(Record):
    """What the store has of a model."""

    versions: tuple[VersionLine, ...] = Field((), description="Newest first.")
    more_versions: int = Field(0, description="How many older ones there are.")
    moves: tuple[Move, ...] = Field((), description="Of the champion, oldest first.")
    reports: tuple[ReportLink, ...] = Field((), description="The newest ten, newest first.")
    more_reports: int = Field(0, description="How many older ones there are.")
    runs: tuple[RunLink, ...] = Field((), description="Newest first.")
    acceptances: tuple[Acceptance, ...] = Field((), description="Newest first.")
    acknowledgements: dict[str, Acknowledgement] = Field({}, description="By incident.")
    job_logs: tuple[str, ...] = Field((), description="Keys of the jobs whose log was kept.")
