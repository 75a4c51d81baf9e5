"""Checkpoints: where a fit stood after its newest epoch, kept on local disk until it has ended.

``<state>/trainings/<run>/epoch-0003.safetensors`` holds the tensors, ``epoch-0003.json`` the rest,
with the digest of the tensors; it is written last, so that a killed process leaves no half of a
checkpoint. Both are data: nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import shutil
from datetime import datetime
from pathlib import Path
from typing import Literal

import safetensors.torch
import torch
from pydantic import Field, JsonValue
from safetensors import SafetensorError

from plumbline.bundle.errors import FormatError
from plumbline.bundle.record import Record
from plumbline.store.disk import DurableFolder
from plumbline.store.run import EpochLoss, RunBegun
from plumbline.training.errors import TrainingError
from plumbline.training.fit import Epoch, FitState

KEPT = 8
"""Interrupted trainings whose checkpoints are kept; older ones go."""


class Order(Record):
    """What was asked of a training, beside its configuration."""

    store: str
    parent: str | None = None
    live_since: datetime | None = None
    live_until: datetime | None = None
    promote: bool = False


class Checkpoint(Record):
    """Where a training stood."""

    format: Literal[1] = 1
    run: RunBegun
    order: Order
    experiment: dict[str, JsonValue] = Field(description="The configuration, resolved.")
    data_sha256: str = Field(description="Of the bars; with others nothing goes on.")
    epochs: tuple[EpochLoss, ...]
    steps: int
    tensors_sha256: str

    def fit_state(self, tensors: dict[str, torch.Tensor]) -> FitState:
        """Return what `fit_network` goes on from."""
        epochs = tuple(Epoch(each.number, each.train, each.calibration) for each in self.epochs)
        return FitState(epochs, self.steps, tensors)


class Checkpoints:
    """The checkpoints in a state folder.

    Parameters
    ----------
    state
        The folder; it is made when the first epoch has ended.
    """

    def __init__(self, state: Path) -> None:
        self._folder = state / "trainings"

    def runs(self) -> list[str]:
        """Return the runs that can be gone on with, newest first."""
        return sorted({path.parent.name for path in self._folder.glob("*/epoch-*.json")})[::-1]

    def save(
        self, run: RunBegun, order: Order, experiment: dict[str, JsonValue], data: str, at: FitState
    ) -> None:
        """Keep where a fit stands now, in place of where it stood before.

        Raises
        ------
        TrainingError
            If the disk does not take it.
        """
        packed = safetensors.torch.save(at.tensors)
        checkpoint = Checkpoint(
            run=run,
            order=order,
            experiment=experiment,
            data_sha256=data,
            epochs=tuple(
                EpochLoss(number=e.number, train=e.train_loss, calibration=e.calibration_loss)
                for e in at.epochs
            ),
            steps=at.steps,
            tensors_sha256=hashlib.sha256(packed).hexdigest(),
        )
        folder = self._folder / run.id
        name = f"epoch-{len(at.epochs):04d}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            durable = DurableFolder(folder)
            durable.create(f"{name}.safetensors", packed)
            durable.create(f"{name}.json", checkpoint.to_json())
            for old in folder.iterdir():
                if not old.name.startswith(name):
                    old.unlink()
        except OSError as error:
            raise TrainingError(
                f"cannot keep a checkpoint in {folder} ({error.strerror or error}): "
                "give another --state, or --no-checkpoint"
            ) from error
        for run_id in self.runs()[KEPT:]:
            self.drop(run_id)

    def load(self, text: str = "last") -> tuple[Checkpoint, FitState]:
        """Return the checkpoint of the newest run, or of the one whose name begins so.

        Raises
        ------
        TrainingError
            If there is none, it is damaged, or several runs begin so.
        """
        runs = self.runs()
        found = runs[:1] if text == "last" else [run for run in runs if run.startswith(text)]
        if len(found) != 1:
            wanted = "" if text == "last" else f" {text!r}"
            raise TrainingError(
                f"no interrupted training{wanted} can be gone on with in {self._folder}; "
                f"there are: {', '.join(runs) or 'none'}"
            )
        folder = self._folder / found[0]
        path = max(folder.glob("epoch-*.json"), key=lambda each: each.name)
        try:
            checkpoint = Checkpoint.from_json(path.read_bytes(), source=str(path))
            packed = path.with_suffix(".safetensors").read_bytes()
            if hashlib.sha256(packed).hexdigest() != checkpoint.tensors_sha256:
                raise TrainingError(f"{path}: its tensors are damaged; train anew")
            return checkpoint, checkpoint.fit_state(safetensors.torch.load(packed))
        except (OSError, FormatError, SafetensorError) as error:
            raise TrainingError(f"{path}: cannot be gone on with: {error}; train anew") from error

    def drop(self, run: str) -> None:
        """Forget a run that has ended, and the folder if it was the last."""
        shutil.rmtree(self._folder / run, ignore_errors=True)
        if self._folder.is_dir() and not any(self._folder.iterdir()):
            self._folder.rmdir()
