"""Refitting the calibration of a bundle: same graph, new temperature and bias, a new bundle.

The remedy for a bias that an offset repairs. The rows are those of the bundle's own calibration
part or, given a later moment, the newest ones; never rows that taught the weights.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime

import numpy as np

from plumbline.bundle.archive import Bundle
from plumbline.bundle.array import IntArray
from plumbline.bundle.calibration import ChoiceCalibration
from plumbline.bundle.market import Market
from plumbline.bundle.outputs import Outputs
from plumbline.diagnosis.sample import Context
from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry
from plumbline.training.bars import as_datetime, as_microseconds
from plumbline.training.calibrate import fit_calibrations
from plumbline.training.config import Experiment
from plumbline.training.dataset import Dataset
from plumbline.training.errors import TrainingError
from plumbline.training.export import Exported
from plumbline.training.gate import judge
from plumbline.training.live import Stretch, read_live
from plumbline.training.material import Material, prepare
from plumbline.training.onnx_model import OnnxModel
from plumbline.training.publish import Progress, TrainingResult, publish
from plumbline.training.record import Recorder
from plumbline.training.seal import (
    Parts,
    answer_rows,
    build_ground,
    build_reference,
    build_sample,
    reseal,
    withhold,
)
from plumbline.training.split import Split
from plumbline.training.succession import champion_of, follow, market_of, refuse_another_market
from plumbline.training.target import measure_targets


def refit(
    objects: Objects,
    model: str,
    version: str,
    *,
    until: datetime | None = None,
    live: Stretch | None = None,
    promote: bool = False,
    progress: Progress = lambda _what, _share: None,
) -> TrainingResult:
    """Fit temperature and bias of a bundle again and write it as a new one, and the run's record.

    Parameters
    ----------
    objects, model, version
        Which bundle.
    until
        Use bars closed by then; by default those the bundle was made with.
    live, promote, progress
        As in `training.run.train`.

    Raises
    ------
    TrainingError
        If its bars are not to be had, or are of another interval or symbol, its features are not
        today's, or too few rows are left.
    BundleError, StoreError
        If the bundle does not verify or the store fails.
    """
    parent = ModelRegistry(objects, model).open(version)
    experiment = _experiment(parent, until)
    notes = Recorder(objects, model, kind="refit", config=parent.version)
    with notes.recording(experiment):
        result = _refit(
            experiment,
            objects,
            parent,
            live=live,
            promote=promote,
            recorder=notes,
            progress=progress,
        )
        return notes.finished(result)


def _refit(
    experiment: Experiment,
    objects: Objects,
    parent: Bundle,
    *,
    live: Stretch | None,
    promote: bool,
    recorder: Recorder,
    progress: Progress,
) -> TrainingResult:
    began = time.monotonic()
    progress = recorder.following(progress)
    progress("reading bars", 0.0)
    model = parent.manifest.name
    registry = ModelRegistry(objects, model)
    material = prepare(experiment)
    recorder.prepared(material)
    _require_same_columns(parent, material)
    refuse_another_market(Market.of(parent.manifest), market_of(experiment, material))
    dataset, split = material.dataset, material.split
    progress("calibrating", 0.3)
    answer = OnnxModel(parent.files["model.onnx"], parent.manifest.inputs, parent.manifest.outputs)
    outputs = _calibrate(parent, experiment, material, answer)
    progress("judging", 0.6)
    gate_began = time.monotonic()
    stream = _unseen(parent, dataset, split, dataset.stream(split, "calibration", "validation"))
    raw = answer_rows(dataset, stream, answer, material.inputs)
    reference = build_reference(dataset, stream, raw, outputs)
    held_out = _unseen(parent, dataset, split, dataset.clear(split, "validation"))
    validation = np.isin(stream, held_out)
    report = judge(
        build_sample(dataset, stream[validation], raw[validation], outputs),
        Context(outputs, dataset.names, reference, material.stress),
        answer=answer,
        ground=build_ground(
            dataset,
            outputs,
            answer,
            material.inputs,
            before=int(dataset.time[held_out].min()),
            taught=_taught(parent, dataset),
        ),
        live=None if live is None else read_live(objects, model, live, specs=material.inputs),
        champion=None if live is None else champion_of(registry),
    )
    outputs = replace(outputs, withheld=report.withheld)
    reference = withhold(reference, outputs)
    recorder.judged(reference, stream, validation, outputs)
    files = parent.files
    exported = Exported(
        files["model.onnx"],
        files.get("model.pt"),
        files.get("weights.safetensors"),
        parent.manifest.opset,
    )
    parts = Parts(exported, outputs, reference, parent.golden, report, material.stress)
    manifest, written = reseal(parent, experiment, material, parts)
    progress("writing the bundle", 0.95)
    return publish(
        registry, manifest, written, report, promote=promote, began=began, judging=gate_began
    )


def _calibrate(
    parent: Bundle, experiment: Experiment, material: Material, answer: OnnxModel
) -> Outputs:
    """Fit every output's calibration again, and take the policy's prior from the same rows."""
    lessons, split, specs = material.lessons, material.split, parent.manifest.outputs
    rows = _unseen(parent, lessons, split, lessons.rows(split, "calibration"))
    targets = measure_targets(specs, lessons.truth[rows], "calibration")
    raw = answer_rows(lessons, rows, answer, material.inputs)
    corrections = {
        name: each.prior_correction if isinstance(each, ChoiceCalibration) else None
        for name, each in parent.outputs.calibrations.items()
    }
    truth, group = lessons.truth[rows], lessons.group[rows]
    fitted = fit_calibrations(specs, raw, truth, group, corrections)
    return Outputs(specs, fitted, experiment.build_policy(targets[0].prior))


def _experiment(parent: Bundle, until: datetime | None) -> Experiment:
    """Return the experiment the bundle came from, perhaps with a later end of the bars."""
    experiment = follow(parent.manifest)
    _require_same_plugins(parent, experiment)
    return experiment if until is None else experiment.changed(data={"until": until})


def _require_same_plugins(parent: Bundle, experiment: Experiment) -> None:
    """Refuse where code from outside has changed: its features and labels may be others now."""
    recorded = parent.manifest.training.get("plugins", [])
    now = [each.model_dump(mode="json") for each in experiment.plugins]
    changed = [each for each in recorded if each not in now] if isinstance(recorded, list) else []
    if changed:
        raise TrainingError(
            f"the plug-ins {changed} of {parent.version} have changed since: go back to them, or "
            "train a new version with `plumbline train`"
        )


def _require_same_columns(parent: Bundle, material: Material) -> None:
    """Refuse bars of which the graph is not shown what it was taught on.

    Raises
    ------
    TrainingError
        If feature set or inputs are not the bundle's.
    """
    manifest = parent.manifest
    if manifest.inputs != material.inputs or manifest.feature_names != material.dataset.names:
        raise TrainingError(
            f"{manifest.name} {parent.version} has other features than this version of plumbline "
            "computes: train a new one with `plumbline train`"
        )


def _taught(parent: Bundle, dataset: Dataset) -> IntArray:
    """Return the rows among these that taught the weights."""
    data = parent.manifest.data
    since, until = as_microseconds(data.train_start), as_microseconds(data.train_end)
    inside = (dataset.time >= since) & (dataset.time <= until)
    return np.flatnonzero(dataset.complete & dataset.labelled & inside)


def _unseen(parent: Bundle, dataset: Dataset, split: Split, rows: IntArray) -> IntArray:
    """Leave out rows whose labels overlap with those that taught the weights.

    Raises
    ------
    TrainingError
        If none are left.
    """
    learnt = as_microseconds(parent.manifest.data.train_end) + split.purge
    unseen: IntArray = rows[dataset.time[rows] > learnt]
    if not len(unseen):
        raise TrainingError(
            f"no rows are left after {as_datetime(learnt):%Y-%m-%d %H:%M}, until when the weights "
            f"of {parent.version} were taught: give a later --until"
        )
    return unseen
