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
from typing import Any

from plumbline.bundle.archive import Bundle
from plumbline.bundle.golden import GoldenRows
from plumbline.bundle.manifest import ScalerSpec
from plumbline.bundle.market import Market
from plumbline.bundle.policy import DecisionPolicy
from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry
from plumbline.training.bars import as_microseconds
from plumbline.training.calibrate import fit_calibration
from plumbline.training.config import Experiment
from plumbline.training.dataset import class_shares
from plumbline.training.export import Exported, OnnxModel, export_network, read_torchscript_weights
from plumbline.training.families import FAMILIES, Shape
from plumbline.training.fit import Epoch, fit_network, logits_of, seeded, start_at_prior
from plumbline.training.gate import Head, judge
from plumbline.training.labels import CLASSES
from plumbline.training.live import Stretch, read_live
from plumbline.training.losses import LOSSES, Loss
from plumbline.training.material import Material, prepare
from plumbline.training.network import Network, fit_scaler
from plumbline.training.publish import Progress, TrainingResult, publish
from plumbline.training.seal import Parts, build_reference, pick_golden, seal
from plumbline.training.succession import located, market_of, refuse_another_market


@dataclass(frozen=True)
class Trained:
    """A fitted network as it will be served, and what its logits leave out."""

    network: Network
    scaler: ScalerSpec
    loss: Loss[Any]


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
) -> TrainingResult:
    """Train a model and write its bundle.

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

    Raises
    ------
    TrainingError
        If it cannot go on; nothing is written then.
    BundleError, StoreError
        If the parent does not verify or the store fails.
    """
    began = time.monotonic()
    registry = ModelRegistry(objects, model)
    progress("reading bars", 0.0)
    experiment = located(experiment)
    material = prepare(experiment)
    experiment = material.experiment
    if keep is not None:
        refuse_another_market(keep, market_of(experiment, material))
    start = None if parent is None else _usable(registry.open(parent), experiment, material)
    with seeded(experiment.seed, experiment.fit.threads):
        trained = _fit(experiment, material, start, progress)
        progress("calibrating", 0.8)
        head = _calibrate(experiment, material, trained)
        progress("exporting", 0.82)
        exported, golden = _export(material, trained)
    progress("judging", 0.95)
    dataset, split = material.dataset, material.split
    answer = OnnxModel(exported.onnx)
    stream = dataset.stream(split, "calibration", "validation")
    reference = build_reference(dataset, stream, answer, head)
    served = None if live is None else read_live(objects, model, live, window=dataset.window_shape)
    validation = dataset.clear(split, "validation")
    report = judge(dataset, validation, answer, head, reference=reference, live=served)
    manifest, files = seal(
        model,
        experiment,
        material,
        Parts(exported, head, reference, golden, report),
        scaler=trained.scaler,
        tau=trained.loss.tau,
        parent=None if start is None else start.version,
    )
    progress("writing the bundle", 0.98)
    return publish(registry, manifest, files, report, promote=promote, began=began)


def _fit(
    experiment: Experiment, material: Material, start: Bundle | None, progress: Progress
) -> Trained:
    """Learn from the train part, stop by the calibration part."""
    progress("fitting", 0.05)
    dataset, split = material.lessons, material.split
    rows = dataset.rows(split, "train")
    loss_kind = LOSSES[experiment.loss.kind]
    loss = loss_kind(
        loss_kind.Params.model_validate(experiment.loss.parameters),
        class_shares(dataset, rows, "train"),
    )
    family_kind = FAMILIES[experiment.family.kind]
    family = family_kind(family_kind.Params.model_validate(experiment.family.parameters))
    core = family.build(Shape(*material.dataset.window_shape, len(CLASSES)))
    if start is None:
        start_at_prior(core, loss)
    else:
        family.warm_start(core, read_torchscript_weights(start.files["model.pt"]))

    def on_epoch(epoch: Epoch) -> None:
        share = 0.05 + 0.75 * epoch.number / experiment.fit.epochs
        progress(f"fitting, epoch {epoch.number}, loss {epoch.calibration_loss:.4f}", share)

    scaler = fit_scaler(dataset.features[rows])
    held_out = dataset.rows(split, "calibration")
    class_shares(dataset, held_out, "calibration")
    fitted = fit_network(
        Network(core, scaler),
        loss,
        dataset,
        rows,
        held_out,
        params=experiment.fit,
        on_epoch=on_epoch,
    )
    served = Network(family.for_export(fitted.network.core), scaler)
    return Trained(served.eval(), scaler, loss)


def _calibrate(experiment: Experiment, material: Material, trained: Trained) -> Head:
    """Fit temperature and bias on the calibration part; the policy takes the training prior."""
    dataset = material.lessons
    rows = dataset.rows(material.split, "calibration")
    calibration = fit_calibration(
        logits_of(trained.network, dataset, rows),
        dataset.labels[rows],
        trained.loss.prior_correction,
    )
    policy = DecisionPolicy(prior=trained.loss.prior, **experiment.policy.model_dump())
    return Head(calibration, policy)


def _export(material: Material, trained: Trained) -> tuple[Exported, GoldenRows]:
    """Export, check parity on real windows, and keep those as golden rows with their answers."""
    dataset = material.dataset
    stream = dataset.stream(material.split, "calibration", "validation")
    windows = dataset.windows(pick_golden(stream))
    exported = export_network(trained.network, windows)
    return exported, GoldenRows(windows, OnnxModel(exported.onnx)(windows))


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
        "model.pt" in parent.files
        and manifest.family == experiment.family.kind
        and manifest.family_parameters == experiment.family.parameters
        and manifest.loss.kind == experiment.loss.kind
        and manifest.features.names == material.dataset.names
        and manifest.training.get("features") == experiment.features.model_dump(mode="json")
        and manifest.window_length == experiment.window_length
        and manifest.classes == CLASSES
        and as_microseconds(manifest.data.train_end) < held_out
    )
    return parent if fits else None
