"""What a training notes down as it goes, and leaves in the store however it ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Literal

import numpy as np

from plumbline.bundle.array import AnyArray, IntArray
from plumbline.bundle.errors import BundleError
from plumbline.bundle.outputs import Outputs
from plumbline.bundle.reference import ReferenceProfile
from plumbline.store.errors import StoreError
from plumbline.store.objects import Objects
from plumbline.store.run import EpochLoss, RunBegun, RunEnd, RunRecord, Runs, StageTime, new_run_id
from plumbline.training.checkpoint import Checkpoint, Checkpoints, Order
from plumbline.training.config import Experiment
from plumbline.training.environment import read_environment
from plumbline.training.errors import TrainingError
from plumbline.training.fit import Epoch, FitState, best_of
from plumbline.training.material import Material
from plumbline.training.picture import draw_validation
from plumbline.training.publish import Progress, TrainingResult
from plumbline.training.report import render_report


@dataclass
class _Notes:
    """What is known so far."""

    experiment: Experiment | None = None
    material: Material | None = None
    epochs: list[Epoch] = field(default_factory=list)
    stages: list[tuple[str, float]] = field(default_factory=list)
    result: TrainingResult | None = None
    facts: dict[str, Any] = field(default_factory=dict)


class Recorder:
    """One run, from its beginning to its record.

    Parameters
    ----------
    objects, model
        The store, and the name the bundle is written under.
    kind
        What is recorded.
    config, overrides
        What the configuration was called, and what ``--set`` changed of it.
    checkpoints
        Where to keep what it takes to go on after an interruption; by default nowhere.
    resume
        A checkpoint to go on from, with its state.
    """

    def __init__(
        self,
        objects: Objects,
        model: str,
        *,
        kind: Literal["training", "refit"] = "training",
        config: str = "",
        overrides: tuple[str, ...] = (),
        checkpoints: Checkpoints | None = None,
        resume: tuple[Checkpoint, FitState] | None = None,
    ) -> None:
        self._runs = Runs(objects, model)
        self._checkpoints = checkpoints
        self._resume = resume
        self._order = Order(store=objects.url)
        self._notes = _Notes()
        began = datetime.now(UTC)
        self.begun = RunBegun(
            id=new_run_id(began),
            kind=kind,
            model=model,
            config=config,
            overrides=overrides,
            began=began,
            continues=None if resume is None else resume[0].run.id,
        )
        self.record: RunRecord | None = None
        self.kept = False

    @contextmanager
    def recording(self, experiment: Experiment, **order: Any) -> Iterator[None]:
        """Write down what happens inside, however it ends.

        Parameters
        ----------
        experiment
            The configuration.
        order
            What else was asked for, as in `Order`; it is needed to go on.
        """
        self._notes.experiment = experiment
        self._order = self._order.model_copy(update=order)
        self._runs.begin(self.begun)
        try:
            yield
        except BaseException as error:
            with suppress(StoreError):  # what went wrong first is what is told
                self._finish(*_end_of(error, self._notes))
            raise
        result = self._notes.result
        self._finish(RunEnd.FINISHED if result and result.passed else RunEnd.REFUSED, "")
        self._forget()

    def following(self, progress: Progress) -> Progress:
        """Return a progress that is noted as well: each of its stages has a time."""

        def follow(what: str, share: float) -> None:
            stage = what.partition(",")[0]
            if not self._notes.stages or self._notes.stages[-1][0] != stage:
                self._notes.stages.append((stage, monotonic()))
            progress(what, share)

        return follow

    def prepared(self, material: Material) -> None:
        """Note the rows, and the configuration with what follows from the bars."""
        self._notes.material = material
        self._notes.experiment = material.experiment

    def resumed(self) -> FitState | None:
        """Return what a fit goes on from, if it does.

        Raises
        ------
        TrainingError
            If the bars are not the ones it began with.
        """
        if self._resume is None:
            return None
        checkpoint, state = self._resume
        material = self._notes.material
        if material is not None and material.digest != checkpoint.data_sha256:
            raise TrainingError(
                f"the bars have changed since {checkpoint.run.id} was interrupted, so it cannot be "
                "gone on with: train anew"
            )
        self._notes.epochs = list(state.epochs)
        return state

    def keep(self, state: FitState) -> None:
        """Keep a checkpoint, if that was asked for."""
        material, experiment = self._notes.material, self._notes.experiment
        self._notes.epochs = list(state.epochs)
        if self._checkpoints is None or material is None or experiment is None:
            return
        values = experiment.model_dump(mode="json")
        self._checkpoints.save(self.begun, self._order, values, material.digest, state)
        if self.begun.continues and not self.kept:
            self._checkpoints.drop(self.begun.continues)
        self.kept = True

    def judged(
        self, reference: ReferenceProfile, stream: IntArray, validation: AnyArray, outputs: Outputs
    ) -> None:
        """Note what the report draws of the validation rows, which the reference holds.

        Parameters
        ----------
        reference
            Of the bundle.
        stream : (n,) int64
            Rows of the data set that are in the reference.
        validation : (n,) bool
            Which of them were judged.
        outputs
            Of the bundle.
        """
        if self._notes.material is None:
            return
        places = np.flatnonzero(validation)
        dataset, experiment = self._notes.material.dataset, self._notes.material.experiment
        self._notes.facts["picture"] = draw_validation(
            reference,
            places,
            outputs,
            forward_return=dataset.forward_return[stream[places]],
            cost=_cost(outputs, experiment),
        )

    def finished(self, result: TrainingResult) -> TrainingResult:
        """Note what came of it; return it with the name of this run."""
        self._notes.result = result.model_copy(update={"run": self.begun.id})
        return self._notes.result

    def _finish(self, end: RunEnd, message: str) -> None:
        self.record = _compose(self.begun, self._notes, end, message)
        self._runs.finish(self.record, render_report(self.record))

    def _forget(self) -> None:
        """Drop the checkpoints of a run that has ended well, and of the one it took over."""
        if self._checkpoints is not None:
            for run in filter(None, (self.begun.id, self.begun.continues)):
                self._checkpoints.drop(run)


def _end_of(error: BaseException, notes: _Notes) -> tuple[RunEnd, str]:
    """Return how a run ended that did not come to its end."""
    where = notes.stages[-1][0] if notes.stages else "the beginning"
    if isinstance(error, KeyboardInterrupt | SystemExit):
        done = f", after epoch {len(notes.epochs)}" if notes.epochs else ""
        return RunEnd.INTERRUPTED, f"interrupted at {where}{done}"
    if isinstance(error, TrainingError | StoreError | BundleError):
        return RunEnd.FAILED, str(error)
    return RunEnd.FAILED, f"{type(error).__name__} at {where}: {error}"


def _cost(outputs: Outputs, experiment: Experiment) -> float | None:
    """Return the cost of a round trip per unit of size; None if it cannot be told.

    That of a policy on choices is a share of the label's threshold, that of one on values has the
    value's own unit.
    """
    cost = getattr(outputs.policy.params, "cost", 0.0)
    if cost == 0 or not outputs.policy.output.choices:
        return float(cost)
    threshold = experiment.label.parameters.get("threshold")
    return float(cost * threshold) if isinstance(threshold, float | int) else None


def _compose(begun: RunBegun, notes: _Notes, end: RunEnd, message: str) -> RunRecord:
    """Put the notes together."""
    experiment, material, result = notes.experiment, notes.material, notes.result
    if experiment is None:
        raise ValueError("a run is recorded inside `recording`")
    facts = dict(notes.facts)
    if material is not None:
        facts |= {"symbols": material.symbols, "data_sha256": material.digest}
        facts["rows"] = material.account()
    if result is not None:
        told = ("metrics", "verdict", "reasons", "version", "parent", "promoted")
        facts |= {name: getattr(result, name) for name in told}
    now = monotonic()
    edges = [*(when for _, when in notes.stages[1:]), now]
    return RunRecord(
        **begun.model_dump(),
        ended=datetime.now(UTC),
        end=end,
        message=message,
        experiment=experiment.model_dump(mode="json"),
        epochs=tuple(
            EpochLoss(number=e.number, train=e.train_loss, calibration=e.calibration_loss)
            for e in notes.epochs
        ),
        best_epoch=best_of(notes.epochs).number if notes.epochs else None,
        stages=tuple(
            StageTime(name=name, seconds=round(edge - when, 3))
            for (name, when), edge in zip(notes.stages, edges, strict=True)
        ),
        environment=read_environment(experiment.fit.threads),
        **facts,
    )
