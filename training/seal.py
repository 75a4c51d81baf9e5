"""Sealing: everything that was found out, written down as the files and manifest of a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version

import numpy as np

from plumbline.bundle.archive import Bundle, digest_of
from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.golden import GoldenRows
from plumbline.bundle.manifest import (
    DataSpec,
    LabelSpec,
    LossSpec,
    Manifest,
    PolicySpec,
    ScalerSpec,
)
from plumbline.bundle.outputs import Outputs, write_calibrations
from plumbline.bundle.reference import NO_ACTION, ReferenceProfile
from plumbline.bundle.spec import FeatureSetSpec, InputSpec
from plumbline.bundle.stress import StressRows
from plumbline.bundle.validation import ValidationReport
from plumbline.diagnosis.sample import Sample
from plumbline.training.bars import MICROSECOND, as_datetime
from plumbline.training.config import Experiment
from plumbline.training.dataset import Dataset
from plumbline.training.export import TOLERANCE, Exported
from plumbline.training.gate import Answer, Ground, sample_of
from plumbline.training.gate.ground import MOST_ASKED
from plumbline.training.material import Material

GOLDEN_ROWS = 64
_LIBRARIES = ("numpy", "onnx", "onnxruntime", "onnxscript", "safetensors", "scipy", "torch")


@dataclass(frozen=True)
class Parts:
    """What a bundle is made of, apart from the material."""

    exported: Exported
    outputs: Outputs
    reference: ReferenceProfile
    golden: GoldenRows
    report: ValidationReport
    stress: StressRows

    def files(self) -> dict[str, bytes]:
        """Return the files of a bundle."""
        files = {
            "model.onnx": self.exported.onnx,
            "calibration.json": write_calibrations(self.outputs.calibrations),
            "reference.npz": self.reference.to_bytes(),
            "validation.json": self.report.to_json(),
            "golden.npz": self.golden.to_bytes(),
            "stress.npz": self.stress.to_bytes(),
        }
        if self.exported.torchscript is not None:
            files["model.pt"] = self.exported.torchscript
        if self.exported.weights is not None:
            files["weights.safetensors"] = self.exported.weights
        return files


def answer_rows(
    dataset: Dataset, rows: IntArray, answer: Answer, inputs: Sequence[InputSpec]
) -> FloatArray:
    """Ask the graph about rows, so many at a time: raw numbers ``(n, Σ members · width)``."""
    return np.concatenate([answer(dataset.inputs(some, inputs)) for some in dataset.batches(rows)])


def build_sample(dataset: Dataset, rows: IntArray, raw: FloatArray, outputs: Outputs) -> Sample:
    """Return rows with what was said of them, as the judgement sees them."""
    return sample_of(
        raw,
        outputs,
        features=dataset.features[rows],
        truth=dataset.truth[rows],
        group=dataset.group[rows],
        bar_time=dataset.time[rows],
        symbol=dataset.symbol[rows],
    )


def build_ground(
    dataset: Dataset,
    outputs: Outputs,
    answer: Answer,
    inputs: Sequence[InputSpec],
    *,
    before: int,
    taught: IntArray,
) -> Ground:
    """Return the rows older than the validation part, and what the model says of the newest.

    Parameters
    ----------
    dataset, outputs, answer, inputs
        Rows, and the model that will be served.
    before
        When the outcomes of all rows that taught nothing were known: begin of the validation.
    taught : (m,) int64
        Rows that taught the weights.
    """
    primary = outputs.heads[outputs.primary].spec.horizon_seconds * MICROSECOND
    old = np.flatnonzero(dataset.complete & (dataset.time + primary < before))
    rows = np.union1d(old, taught)
    is_taught = np.isin(rows, taught)
    newest = np.argsort(dataset.time[rows], kind="stable")
    asked = np.sort(
        np.concatenate(
            [newest[is_taught[newest] == which][-MOST_ASKED:] for which in (True, False)]
        )
    )
    group = dataset.group[rows]
    if len(np.unique(group)) < len(group):  # cross-sections are asked about whole
        asked = np.flatnonzero(np.isin(group, group[asked]))
    readings = outputs.read(answer_rows(dataset, rows[asked], answer, inputs), group[asked])
    return Ground(
        features=dataset.features[rows],
        truth=dataset.truth[rows],
        bar_time=dataset.time[rows],
        symbol=dataset.symbol[rows],
        group=group,
        taught=is_taught,
        asked=asked,
        readings=readings,
    )


def withhold(reference: ReferenceProfile, outputs: Outputs) -> ReferenceProfile:
    """Return the reference with the sizes of a model whose sizes are withheld, if they are."""
    if not outputs.withheld:
        return reference
    return replace(reference, size=np.zeros_like(reference.size))


def build_reference(
    dataset: Dataset, rows: IntArray, raw: FloatArray, outputs: Outputs
) -> ReferenceProfile:
    """Write down the healthy stream: consecutive rows that taught the weights nothing."""
    group = dataset.group[rows]
    readings = outputs.read(raw, group)
    decision = outputs.decide(readings, group)
    taken = np.full(len(rows), NO_ACTION) if decision.action is None else decision.action
    return ReferenceProfile(
        bar_time=dataset.time[rows],
        symbol=dataset.symbol[rows],
        group=group.astype(np.int64),
        features=dataset.features[rows],
        raw=raw.astype(np.float32),
        centre=outputs.centres(readings).astype(np.float32),
        epistemic=outputs.epistemics(readings).astype(np.float32),
        action=taken.astype(np.int8),
        position=decision.position.astype(np.float32),
        size=decision.size.astype(np.float32),
        truth=dataset.truth[rows],
    )


def pick_golden(rows: IntArray, group: IntArray) -> IntArray:
    """Choose rows for the golden inputs, spread evenly over the given ones.

    Of cross-sections ``group (n,)`` whole ones are chosen, one at least.
    """
    names, counts = np.unique(group, return_counts=True)
    if counts.max() == 1:
        places = np.linspace(0, len(rows) - 1, min(GOLDEN_ROWS, len(rows)))
        picked: IntArray = rows[np.unique(places.round().astype(int))]
        return picked
    wanted = max(1, GOLDEN_ROWS // int(counts.max()))
    chosen = names[np.unique(np.linspace(0, len(names) - 1, wanted).round().astype(int))]
    inside = np.flatnonzero(np.isin(group, chosen))
    ordered: IntArray = rows[inside[np.argsort(group[inside], kind="stable")]]
    return ordered


def seal(
    name: str,
    experiment: Experiment,
    material: Material,
    parts: Parts,
    *,
    scaler: ScalerSpec,
    tau: float,
    parent: str | None,
) -> tuple[Manifest, dict[str, bytes]]:
    """Return the manifest of a trained model, and the files it names.

    Parameters
    ----------
    name
        Of the model.
    experiment, material, parts
        What was done, on what, and what came of it.
    scaler
        The standardisation inside the graph.
    tau
        Of logit adjustment in training; zero for plain losses.
    parent
        The version whose weights it started from, if any.
    """
    files = parts.files()
    dataset, outputs, features = material.dataset, parts.outputs, experiment.features
    manifest = Manifest(
        name=name,
        inputs=material.inputs,
        outputs=outputs.specs,
        primary=outputs.primary,
        unit=material.label.unit,
        feature_set=FeatureSetSpec.of(
            dataset.names,
            kind=features.kind,
            version=material.feature_set.version,
            parameters=features.parameters,
        ),
        family=experiment.family.kind,
        family_parameters=experiment.family.parameters,
        bar_interval_seconds=material.interval // MICROSECOND,
        scaler=scaler,
        label=LabelSpec(
            kind=experiment.label.kind,
            horizon_seconds=material.label.horizon // MICROSECOND,
            parameters=experiment.label.parameters,
        ),
        loss=LossSpec(kind=experiment.loss.kind, parameters=experiment.loss.parameters, tau=tau),
        policy=PolicySpec(
            kind=experiment.policy.kind,
            parameters=outputs.policy.params.model_dump(mode="json"),
            withheld=outputs.withheld,
        ),
        data=_data_spec(experiment, material, parts.reference),
        training=experiment.model_dump(mode="json"),
        seed=experiment.seed,
        opset=parts.exported.opset,
        tolerance=TOLERANCE,
        libraries={library: version(library) for library in _LIBRARIES},
        parent=parent,
        created=datetime.now(UTC),
        files={file: digest_of(data) for file, data in files.items()},
    )
    return manifest, files


def reseal(
    bundle: Bundle, experiment: Experiment, material: Material, parts: Parts
) -> tuple[Manifest, dict[str, bytes]]:
    """Return the manifest of a bundle with another calibration, and the files it names.

    What the weights were taught with stays as it was; the reference is that of the refit.
    """
    files = parts.files()
    data = _data_spec(experiment, material, parts.reference).model_copy(
        update={
            "train_start": bundle.manifest.data.train_start,
            "train_end": bundle.manifest.data.train_end,
        }
    )
    policy = bundle.manifest.policy.model_copy(
        update={
            "parameters": parts.outputs.policy.params.model_dump(mode="json"),
            "withheld": parts.outputs.withheld,
        }
    )
    manifest = bundle.manifest.model_copy(
        update={
            "policy": policy,
            "data": data,
            "training": experiment.model_dump(mode="json"),
            "parent": bundle.version,
            "created": datetime.now(UTC),
            "files": {file: digest_of(content) for file, content in files.items()},
        }
    )
    return manifest, files


def _data_spec(experiment: Experiment, material: Material, reference: ReferenceProfile) -> DataSpec:
    dataset = material.dataset
    train = dataset.time[dataset.rows(material.split, "train")]
    return DataSpec(
        source=experiment.data.source,
        sha256=material.digest,
        symbols=material.symbols,
        train_start=as_datetime(int(train.min())),
        train_end=as_datetime(int(train.max())),
        reference_start=as_datetime(int(reference.bar_time.min())),
        reference_end=as_datetime(int(reference.bar_time.max())),
        rows=material.account(),
    )
