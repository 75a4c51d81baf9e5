"""One training, from bars to a bundle in the store. Read this first.

```
bars ─► checked ─► features, labels ─► split ─► fitted ─► calibrated ─► exported ─► judged ─► sealed
        data_check  features, labels/   split    fit       calibrate     export      gate      seal
```

The parts of the split each have one use. The *train* part teaches the weights. The *calibration*
part says when to stop and fits temperature and bias. The *validation* part is the gate's alone. The
*test* part is not touched here at all. A refused bundle is written, too, with the reasons, and is
never promoted; what is interrupted leaves no bundle, because the manifest is written last.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from plumbline.bundle.archive import Bundle
from plumbline.bundle.golden import GoldenRows
from plumbline.bundle.manifest import ScalerSpec
from plumbline.bundle.market import Market
from plumbline.bundle.outputs import Outputs
from plumbline.diagnosis.sample import Context
from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry
from plumbline.training.bars import as_microseconds
from plumbline.training.calibrate import fit_calibrations
from plumbline.training.config import Experiment
from plumbline.training.export import Exported, export_network, read_weights
from plumbline.training.families import Shape
from plumbline.training.fit import Epoch, Lesson, fit_network, raw_of, seeded
from plumbline.training.gate import judge
from plumbline.training.live import Stretch, read_live
from plumbline.training.losses import LOSSES
from plumbline.training.material import Material, prepare
from plumbline.training.network import BarNetwork, Network, ServedNetwork, fit_scaler
from plumbline.training.objective import Objective
from plumbline.training.onnx_model import OnnxModel
from plumbline.training.publish import Progress, TrainingResult, publish
from plumbline.training.readout import Readout
from plumbline.training.record import Recorder
from plumbline.training.seal import (
    Parts,
    answer_rows,
    build_ground,
    build_reference,
    build_sample,
    pick_golden,
    seal,
    withhold,
)
from plumbline.training.succession import champion_of, located, market_of, refuse_another_market
from plumbline.training.target import measure_targets


@dataclass(frozen=True)
class Trained:
    """A fitted network as it will be served, and what its raw numbers leave out."""

    network: Network
    scaler: ScalerSpec
    objective: Objective


def train(
    experiment: Experiment,
    objects: Objects,
    model: str,
    *,
    keep: Market | None = None,
    parent: str | None = None,
    live: Stretch | None = None,
    promote: bool = False,
    progress: Progress = lambda _what, _share: None,
    recorder: Recorder | None = None,
) -> TrainingResult:
    """Train a model and write its bundle, and the record of the run.

    Parameters
    ----------
    experiment
        What to do.
    objects, model
        The store, and under which name the bundle is written.
    keep
        Refuse bars of another source, symbol or interval.
    parent
        A version to start from if its network has the same form and none of its training rows are
        held out now; otherwise the start is fresh. Bars of another interval or of other symbols
        than its own are refused.
    live
        Judge the model on windows served in this stretch as well.
    promote
        Make it the champion if it passes its gate.
    progress
        Told how far it has come.
    recorder
        Writes the record; by default one that keeps no checkpoints.

    Raises
    ------
    TrainingError
        If it cannot go on; only the record is written then.
    BundleError, StoreError
        If the parent does not verify or the store fails.
    """
    notes = Recorder(objects, model) if recorder is None else recorder
    since, until = (None, None) if live is None else (live.since, live.until)
    order = {"parent": parent, "promote": promote, "live_since": since, "live_until": until}
    with notes.recording(experiment, **order):
        result = _train(
            experiment,
            objects,
            model,
            keep=keep,
            parent=parent,
            live=live,
            promote=promote,
            recorder=notes,
            progress=progress,
        )
        return notes.finished(result)


def _train(
    experiment: Experiment,
    objects: Objects,
    model: str,
    *,
    keep: Market | None,
    parent: str | None,
    live: Stretch | None,
    promote: bool,
    recorder: Recorder,
    progress: Progress,
) -> TrainingResult:
    began = time.monotonic()
    registry = ModelRegistry(objects, model)
    progress = recorder.following(progress)
    progress("reading bars", 0.0)
    experiment = located(experiment)
    material = prepare(experiment)
    recorder.prepared(material)
    experiment = material.experiment
    if keep is not None:
        refuse_another_market(keep, market_of(experiment, material))
    start = None if parent is None else _usable(registry.open(parent), experiment, material)
    with seeded(experiment.seed, experiment.fit.threads):
        trained = _fit(experiment, material, start, progress, recorder)
        progress("calibrating", 0.8)
        outputs = _calibrate(experiment, material, trained)
        progress("exporting", 0.82)
        exported, golden = _export(experiment, material, trained)
    progress("judging", 0.95)
    gate_began = time.monotonic()
    dataset, split = material.dataset, material.split
    answer = OnnxModel(exported.onnx, material.inputs, outputs.specs)
    stream = dataset.stream(split, "calibration", "validation")
    raw = answer_rows(dataset, stream, answer, material.inputs)
    reference = build_reference(dataset, stream, raw, outputs)
    validation = np.isin(stream, dataset.clear(split, "validation"))
    report = judge(
        build_sample(dataset, stream[validation], raw[validation], outputs),
        Context(outputs, dataset.names, reference, material.stress),
        answer=answer,
        ground=build_ground(
            dataset,
            outputs,
            answer,
            material.inputs,
            before=split.part("validation").start,
            taught=dataset.rows(split, "train"),
        ),
        live=None if live is None else read_live(objects, model, live, specs=material.inputs),
        champion=None if live is None else champion_of(registry),
    )
    outputs = replace(outputs, withheld=report.withheld)
    reference = withhold(reference, outputs)
    recorder.judged(reference, stream, validation, outputs)
    manifest, files = seal(
        model,
        experiment,
        material,
        Parts(exported, outputs, reference, golden, report, material.stress),
        scaler=trained.scaler,
        tau=trained.objective.tau,
        parent=None if start is None else start.version,
    )
    progress("writing the bundle", 0.98)
    return publish(
        registry, manifest, files, report, promote=promote, began=began, judging=gate_began
    )


def _fit(
    experiment: Experiment,
    material: Material,
    start: Bundle | None,
    progress: Progress,
    recorder: Recorder,
) -> Trained:
    """Learn from the train part, stop by the calibration part."""
    progress("fitting", 0.05)
    dataset, split = material.lessons, material.split
    rows = dataset.rows(split, "train")
    held_out = dataset.rows(split, "calibration")
    targets = measure_targets(experiment.outputs, dataset.truth[rows], "train")
    measure_targets(experiment.outputs, dataset.truth[held_out], "calibration")
    kind = LOSSES[experiment.loss.kind]
    params = kind.Params.model_validate(experiment.loss.parameters)
    objective = Objective(kind, params, targets)
    family = experiment.build_family()
    numbers = sum(spec.width for spec in experiment.outputs)
    core = family.build(Shape(*dataset.window_shape, numbers))
    if start is None:
        family.start(core, objective.start)
    else:
        family.warm_start(core, read_weights(start.files["weights.safetensors"]))

    def on_epoch(epoch: Epoch) -> None:
        share = 0.05 + 0.75 * epoch.number / experiment.fit.epochs
        progress(f"fitting, epoch {epoch.number}, loss {epoch.calibration_loss:.4f}", share)

    scaler = fit_scaler(dataset.features[rows])
    readout = Readout(targets)
    fitted = fit_network(
        Network(core, scaler, readout),
        Lesson(objective, family, dataset, rows, held_out, material.label.unit),
        params=experiment.fit,
        on_epoch=on_epoch,
        keep=recorder.keep,
        resume=recorder.resumed(),
    )
    served = Network(family.for_export(fitted.network.core), scaler, readout)
    return Trained(served.eval(), scaler, objective)


def _calibrate(experiment: Experiment, material: Material, trained: Trained) -> Outputs:
    """Fit every output's calibration on the calibration part; the policy takes its prior."""
    dataset, specs = material.lessons, experiment.outputs
    rows = dataset.rows(material.split, "calibration")
    raw = raw_of(trained.network, dataset, rows)
    targets = measure_targets(specs, dataset.truth[rows], "calibration")
    policy = experiment.build_policy(targets[0].prior)
    corrections = {spec.name: trained.objective.correction(spec.name) for spec in specs}
    truth, group = dataset.truth[rows], dataset.group[rows]
    return Outputs(specs, fit_calibrations(specs, raw, truth, group, corrections), policy)


def _export(
    experiment: Experiment, material: Material, trained: Trained
) -> tuple[Exported, GoldenRows]:
    """Export, check parity on real inputs, and keep those as golden rows with their answers."""
    dataset, (given,) = material.dataset, material.inputs
    stream = dataset.stream(material.split, "calibration", "validation")
    rows = pick_golden(stream, dataset.group[stream])
    examples = dataset.inputs(rows, material.inputs)
    takes_bars = experiment.input == "bars"
    served = (
        BarNetwork(material.feature_set, trained.network)
        if takes_bars
        else ServedNetwork(trained.network)
    )
    exported = export_network(served, material.inputs, examples[given.name])
    answers = OnnxModel(exported.onnx, material.inputs, experiment.outputs).by_output(examples)
    said = {spec.name: answers[spec.name] for spec in experiment.outputs}
    return exported, GoldenRows(examples, said, dataset.group[rows].astype(np.int64))


def _usable(parent: Bundle, experiment: Experiment, material: Material) -> Bundle | None:
    """Return the parent if a training may start from its weights, else None.

    Raises
    ------
    SuccessionError
        If the bars have another interval than the parent's, or other symbols.
    """
    manifest = parent.manifest
    here, there = market_of(experiment, material), Market.of(manifest)
    refuse_another_market(replace(there, source=here.source), here)
    held_out = material.split.part("calibration").start
    fits = (
        "weights.safetensors" in parent.files
        and manifest.family == experiment.family.kind
        and manifest.family_parameters == experiment.family.parameters
        and manifest.loss.kind == experiment.loss.kind
        and manifest.outputs == experiment.outputs
        and manifest.feature_set is not None
        and manifest.training.get("features") == experiment.features.model_dump(mode="json")
        and manifest.inputs == material.inputs
        and as_microseconds(manifest.data.train_end) + material.split.purge <= held_out
    )
    return parent if fits else None
