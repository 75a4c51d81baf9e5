"""Calling a trainer that is not ours: what it is told, and what it must answer.

It is told by environment variables, and answers with one JSON object on standard output that names
the version it wrote to the store, or the folder of a bundle to be taken in. What it writes to
standard error goes where ours does. docs/retrain-command.md is the contract.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from plumbline.training.errors import TrainerError
from plumbline.training.live import Stretch

_SHOWN = 200


@dataclass(frozen=True)
class Order:
    """What a trainer is told.

    Attributes
    ----------
    model, store
        Name of the model, and URL of the store with its bundles.
    champion
        The version to be replaced.
    remedy
        ``retrain``, or ``recalibrate`` where the outputs only lean to one side.
    attempt
        Counted from 1; the one before was refused or failed.
    warm
        Whether the champion's weights are worth starting from.
    incident
        Id of the incident, if the monitor asks.
    until
        End of the newest bar that was seen, if it is known.
    live
        The stretch of the prediction log on which the candidate will be judged as well.
    """

    model: str
    store: str
    champion: str
    remedy: str = "retrain"
    attempt: int = 1
    warm: bool = False
    incident: str | None = None
    until: datetime | None = None
    live: Stretch | None = None

    def environment(self, output: Path) -> dict[str, str]:
        """Return the variables; what is not known is not set."""
        live = self.live or Stretch(None, None)
        values = {
            "MODEL": self.model,
            "STORE": self.store,
            "CHAMPION": self.champion,
            "REMEDY": self.remedy,
            "ATTEMPT": str(self.attempt),
            "WARM": str(int(self.warm)),
            "INCIDENT": self.incident,
            "UNTIL": _text(self.until),
            "LIVE_SINCE": _text(live.since),
            "LIVE_UNTIL": _text(live.until),
            "OUTPUT": str(output),
        }
        return {f"PLUMBLINE_{name}": value for name, value in values.items() if value is not None}


class TrainerAnswer(BaseModel):
    """What a trainer prints; further keys are its own."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    version: str | None = None
    bundle: Path | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> TrainerAnswer:
        if (self.version is None) == (self.bundle is None):
            raise ValueError('expected either "version" or "bundle"')
        return self


def call_trainer(command: Sequence[str], order: Order, output: Path) -> TrainerAnswer:
    """Run a trainer to its end and return its answer.

    Parameters
    ----------
    command
        Program and arguments; a relative path is looked up from the present folder.
    order
        What it is told.
    output
        An empty folder for whatever it writes.

    Raises
    ------
    TrainerError
        If it cannot be run, ends with another exit code than 0, or answers something else.
    """
    variables = {**os.environ, **order.environment(output)}
    try:
        done = subprocess.run(  # noqa: S603  # the command is configured, never received
            list(command),
            check=False,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
    except OSError as error:
        raise TrainerError(f"cannot run {command[0]}: {error.strerror}") from error
    if done.returncode < 0:
        raise TrainerError(f"{command[0]} was ended by signal {-done.returncode}")
    if done.returncode:
        raise TrainerError(f"{command[0]} ended with exit code {done.returncode}, expected 0")
    try:
        return TrainerAnswer.model_validate_json(done.stdout)
    except ValidationError as error:
        said = done.stdout[:_SHOWN].decode(errors="replace").strip()
        reason = error.errors(include_url=False)[0]["msg"]
        raise TrainerError(
            f'{command[0]} printed {said!r}, expected one JSON object {{"version": "…"}} or '
            f'{{"bundle": "<folder>"}} and nothing else on standard output: {reason}'
        ) from error


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")
