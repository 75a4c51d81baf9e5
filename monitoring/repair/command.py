"""The command lines by which the monitor asks for a retrain or a refit.

The monitor knows training by this command line alone: what it asks for, and the JSON it gets back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from plumbline.monitoring.repair.launchers.base import JobSpec
from plumbline.monitoring.repair.situation import Situation
from plumbline.monitoring.settings import MonitoringSettings
from plumbline.store.incident import Incident, IncidentStatus


@dataclass(frozen=True)
class Rung:
    """What an attempt changes of the configuration, when what came before was refused."""

    name: str
    options: tuple[str, ...] = ()


LADDER = (
    Rung("as the version it replaces"),
    Rung("a logit-adjusted loss", ("--loss", "logit_adjusted")),
    Rung("another seed", ("--reseed", "1")),
)
"""One rung per attempt, each one change of the version it replaces, so that what helped is known.

Further attempts repeat the last.
"""


class Outcome(BaseModel):
    """What ``plumbline train``, ``calibrate`` and ``retrain`` print; further fields are theirs."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    version: str
    passed: bool
    verdict: str = ""
    reasons: tuple[str, ...] = ()
    gate_seconds: float = 0.0

    @classmethod
    def read(cls, document: dict[str, Any] | None) -> Outcome | None:
        """Return the outcome in a job's document, or None if it holds none."""
        try:
            return cls.model_validate(document)
        except ValidationError:
            return None


def rung(attempt: int) -> Rung:
    """Return what the given attempt, counted from 1, changes."""
    return LADDER[min(attempt, len(LADDER)) - 1]


def job_of(incident: Incident, settings: MonitoringSettings, situation: Situation) -> JobSpec:
    """Return the job of an incident's present attempt."""
    if settings.retrain.command:
        arguments = retrain_arguments(settings, situation, incident)
    elif incident.status is IncidentStatus.RECALIBRATING:
        arguments = calibrate_arguments(settings, situation, version=incident.version)
    else:
        attempt = incident.attempts
        arguments = train_arguments(settings, situation, attempt=attempt, warm=warm(incident))
    return JobSpec(
        key=job_key(incident),
        arguments=arguments,
        timeout_seconds=settings.job_timeout_seconds,
    )


def job_key(incident: Incident) -> str:
    """Return the key of an incident's present attempt."""
    return f"{incident.id}-{incident.attempts}"


def warm(incident: Incident) -> bool:
    """Whether the serving weights are worth starting from: not those of a collapsed model."""
    return incident.diagnosis.sized


def train_arguments(
    settings: MonitoringSettings, situation: Situation, *, attempt: int, warm: bool
) -> tuple[str, ...]:
    """Return the arguments of ``plumbline`` for a retrain on the newest data window.

    It follows the version that serves: no setting names a market. It keeps no checkpoint: one that
    is killed is a failed attempt, and the next attempt goes another way.
    """
    arguments = ["train", "--like", situation.version, *_target(settings), *_rows(situation)]
    if settings.train_config is not None:
        arguments += ["--config", settings.train_config]
    if warm:
        arguments += ["--parent", situation.version]
    return (*arguments, *rung(attempt).options, "--no-checkpoint", "--json")


def calibrate_arguments(
    settings: MonitoringSettings, situation: Situation, *, version: str
) -> tuple[str, ...]:
    """Return the arguments of ``plumbline`` for a refit of a version's calibration."""
    target = (*_target(settings), "--version", version)
    return ("calibrate", *target, *_rows(situation), "--json")


def retrain_arguments(
    settings: MonitoringSettings, situation: Situation, incident: Incident
) -> tuple[str, ...]:
    """Return the arguments of ``plumbline`` for a call of somebody's own trainer."""
    refit = incident.status is IncidentStatus.RECALIBRATING
    told = ["--remedy", "recalibrate" if refit else "retrain", "--incident", incident.id]
    told += ["--attempt", str(incident.attempts)]
    if warm(incident):
        told.append("--warm")
    follow = ("--like", situation.version, *_target(settings), *_rows(situation))
    return ("retrain", *follow, *told, "--json", "--", *settings.retrain.command)


def _target(settings: MonitoringSettings) -> tuple[str, ...]:
    return ("--store", settings.store, "--model", settings.model)


def _rows(situation: Situation) -> tuple[str, ...]:
    """Return which bars to use, and which live rows the candidate must face."""
    rows: list[str] = []
    if situation.until:
        rows += ["--until", _text(situation.until)]
    if situation.live:
        since, until = situation.live
        rows += ["--live-since", _text(since), "--live-until", _text(until)]
    return tuple(rows)


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
