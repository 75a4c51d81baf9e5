"""A retrain as a job of Ray: what is submitted, and what its end says; no API is called.

References
----------
Ray, "Ray Jobs REST API specification",
https://docs.ray.io/en/latest/cluster/running-applications/job-submission/api.html
"""

from __future__ import annotations

import math
import shlex
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from plumbline.monitoring.repair.launchers.base import JobSpec
from plumbline.monitoring.settings import RaySettings
from plumbline.store.job_log import last_words

_WAITING_SECONDS = 15.0  # a job starts within a few
_LINE_LENGTH = 500
_KILLED = {-9, 137}  # by SIGKILL, itself or the shell that Ray runs it in


class RayStatus(StrEnum):
    """Where a job stands, in Ray's words."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    STOPPED = "STOPPED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"

    @property
    def ended(self) -> bool:
        """Whether it stays so."""
        return self not in {RayStatus.PENDING, RayStatus.RUNNING}


class JobMetadata(BaseModel):
    """What we leave at a job for whoever finds it there."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    incident: str = ""
    timeout_seconds: float = Field(math.inf, gt=0)


class RayJob(BaseModel):
    """A job as the job server describes it; times are milliseconds since 1970 UTC, on its clock."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    status: RayStatus
    entrypoint: str
    message: str | None = None
    start_time: int | None = None
    end_time: int | None = None
    metadata: JobMetadata | None = None
    driver_exit_code: int | None = None

    @property
    def limit(self) -> float:
        """How long it may take, in seconds; endless if it was not we who submitted it."""
        return math.inf if self.metadata is None else self.metadata.timeout_seconds

    @property
    def given_up(self) -> bool:
        """Whether Ray says that it failed, and its command has not ended by itself."""
        return self.status is RayStatus.FAILED and self.driver_exit_code is None

    def seconds(self, now: datetime) -> float:
        """How long it takes, or took, counted from its submission."""
        end = now.timestamp() * 1000 if self.end_time is None else self.end_time
        return 0.0 if self.start_time is None else (end - self.start_time) / 1000

    def late(self, now: datetime) -> bool:
        """Whether it takes, or took, longer than it may."""
        return self.seconds(now) > self.limit

    def why_waiting(self, now: datetime) -> str:
        """Return what keeps it from starting, in Ray's words; empty if nothing does."""
        waits = self.status is RayStatus.PENDING and self.seconds(now) > _WAITING_SECONDS
        return _brief(self.message) if waits else ""


def build_submission(spec: JobSpec, *, name: str, ray: RaySettings, threads: int) -> dict[str, Any]:
    """Return the body that submits a spec; variables that the settings name are left alone."""
    env = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    env |= ray.runtime_env.get("env_vars") or {}
    metadata = {
        "incident": spec.key.rpartition("-")[0] or spec.key,
        "timeout_seconds": str(spec.timeout_seconds),
    }
    return {
        "submission_id": name,
        "entrypoint": shlex.join([*ray.command, *spec.arguments]),
        "runtime_env": {**ray.runtime_env, "env_vars": env},
        "metadata": metadata,
        "entrypoint_num_cpus": threads if ray.num_cpus is None else ray.num_cpus,
        "entrypoint_num_gpus": ray.num_gpus,
        "entrypoint_memory": ray.memory_bytes,
        "entrypoint_resources": ray.resources,
    }


def said_by(job: RayJob, name: str, log: str) -> str:
    """Return the log of a job without the line that Ray writes into it, wherever that came."""
    return log.replace(f"Running entrypoint for job {name}: {job.entrypoint}\n", "")


def why_late(job: RayJob) -> str:
    """Return one sentence on a job that took too long."""
    late = f"killed: it took longer than {job.limit:.0f} s"
    if job.status is RayStatus.PENDING:
        return f"{late}; it did not start: {_brief(job.message)}"
    return late


def why_failed(job: RayJob, *, now: datetime, said: str = "") -> str:
    """Return one sentence on why a job ended without a result.

    Parameters
    ----------
    now
        On the clock of the job server.
    said
        Its log.
    """
    if job.status is RayStatus.STOPPED:
        what = why_late(job) if job.late(now) else "stopped by somebody, not by the monitor"
    elif job.given_up:
        what = f"Ray gave it up: {_brief(job.message)}"
    elif job.driver_exit_code in _KILLED:
        what = f"killed (exit code {job.driver_exit_code}), as by a machine short of memory"
    else:
        what = f"ended with exit code {job.driver_exit_code} and without a result"
    return what + last_words(said)


def _brief(message: str | None) -> str:
    """Return the first and the last line of what Ray says, often a traceback."""
    lines = (message or "").strip().splitlines() or ["no reason given"]
    ends = [lines[0]] if len(lines) == 1 else [lines[0], lines[-1]]
    return " … ".join(each.strip()[:_LINE_LENGTH] for each in ends)
