"""The base of all launchers.

A launcher never runs one key twice: `submit` with a key that is running, or has ended, returns the
handle of that run. The controller may therefore submit at every step, and after a restart, without
remembering what it did.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from pydantic import Field

from plumbline.bundle.record import Record
from plumbline.monitoring.settings import MonitoringSettings


class JobSpec(Record):
    """What to run, and under which key."""

    key: str = Field(pattern="^[a-z0-9][a-z0-9-]{0,62}$", description="Idempotency key.")
    arguments: tuple[str, ...] = Field(description="Of the launcher's command.")
    timeout_seconds: float = Field(gt=0)


@dataclass(frozen=True)
class JobHandle:
    """A submitted job."""

    key: str


class JobState(StrEnum):
    """Where a job stands."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"


@dataclass(frozen=True)
class JobStatus:
    """Where a job stands, and what it printed.

    Attributes
    ----------
    document
        The JSON object on its standard output, once it has finished.
    detail
        One sentence: why it failed.
    """

    state: JobState
    document: dict[str, Any] | None = None
    detail: str = ""


class Launcher(ABC):
    """Runs jobs that print one JSON object to standard output."""

    class Params(Record):
        """What a launcher can be told; subclasses add to it."""

    @classmethod
    @abstractmethod
    def build(cls, settings: MonitoringSettings) -> Self:
        """Build the launcher that runs ``plumbline`` as the settings ask for."""

    @abstractmethod
    def submit(self, spec: JobSpec) -> JobHandle:
        """Start a job, or return the handle of the one that has this key."""

    @abstractmethod
    def poll(self, handle: JobHandle) -> JobStatus:
        """Return where the job stands; a job past its time limit is ended here."""

    @abstractmethod
    def cancel(self, handle: JobHandle) -> None:
        """End the job and all its processes; a no-op when it has ended."""

    @abstractmethod
    def logs(self, handle: JobHandle) -> str:
        """Return the end of what the job wrote to standard error."""

    def log_to_keep(self, handle: JobHandle) -> str:
        """Return what is kept with the incident: as `logs`, or more of the log's end."""
        return self.logs(handle)

    @abstractmethod
    def close(self) -> None:
        """End what must not outlive this process."""
