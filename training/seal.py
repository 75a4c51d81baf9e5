"""Sealing: everything that was found out, written down as the files and manifest of a bundle."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

import numpy as np

from plumbline.bundle.archive import Bundle, digest_of
from plumbline.bundle.array import IntArray
from plumbline.bundle.golden import GoldenRows
from plumbline.bundle.manifest import (
    DataSpec,
    FeatureSpec,
    LabelSpec,
    LossSpec,
    Manifest,
    ScalerSpec,
)
from plumbline.bundle.reference import ReferenceProfile
from plumbline.bundle.validation import ValidationReport
from plumbline.training.bars import MICROSECOND, as_datetime
from plumbline.training.config import Experiment
from plumbline.training.dataset import Dataset
from plumbline.training.export import TOLERANCE, Exported
from plumbline.training.gate import Answer, Head
from plumbline.training.labels import CLASSES
from plumbline.training.material import Material

GOLDEN_ROWS = 64
_LIBRARIES = ("numpy", "onnx", "onnxruntime", "onnxscript", "scipy", "torch")


@dataclass(frozen=True)
class Parts:
    """What a bundle is made of, apart from the material."""

    exported: Exported
    head: Head
    reference: ReferenceProfile
    golden: GoldenRows
    report: ValidationReport

    def files(self) -> dict[str, bytes]:
        """Return the files of a bundle."""
        files = {
            "model.onnx": self.exported.onnx,
            "calibration.json": self.head.calibration.to_json(),
            "reference.npz": self.reference.to_bytes(),
            "validation.json": self.report.to_json(),
            "golden.npz": self.golden.to_bytes(),
        }
        if self.exported.torchscript is not None:
            files["model.pt"] = self.exported.torchscript
        return files


def build_reference(
    dataset: Dataset, rows: IntArray, answer: Answer, head: Head
) -> ReferenceProfile:
    """Write down the healthy stream: consecutive rows that taught the weights nothing."""
    logits = np.concatenate([answer(windows) for windows in dataset.batches(rows)])
    probabilities, actions = head.decide(logits)
    return ReferenceProfile(
        bar_time=dataset.time[rows],
        symbol=dataset.symbol[rows],
        features=dataset.features[rows],
        logits=logits.astype(np.float32),
        probabilities=probabilities.astype(np.float32),
        actions=actions.astype(np.int8),
        labels=dataset.labels[rows],
    )


def pick_golden(rows: IntArray) -> IntArray:
    """Choose rows for the golden inputs, spread evenly over the given ones."""
    places = np.linspace(0, len(rows) - 1, min(GOLDEN_ROWS, len(rows)))
    picked: IntArray = rows[np.unique(places.round().astype(int))]
    return picked


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
    label = dict(experiment.label.parameters)
    horizon = int(str(label.pop("horizon_seconds")))
    manifest = Manifest(
        name=name,
        task="action",
        classes=CLASSES,
        family=experiment.family.kind,
        family_parameters=experiment.family.parameters,
        features=FeatureSpec.of(material.dataset.names),
        window_length=experiment.window_length,
        bar_interval_seconds=material.interval // MICROSECOND,
        scaler=scaler,
        label=LabelSpec(kind=experiment.label.kind, horizon_seconds=horizon, parameters=label),
        loss=LossSpec(kind=experiment.loss.kind, parameters=experiment.loss.parameters, tau=tau),
        policy=parts.head.policy,
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
    manifest = bundle.manifest.model_copy(
        update={
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
