"""Small real bundles: a linear model whose ONNX graph runs and gives its golden rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from plumbline.bundle.archive import digest_of
from plumbline.bundle.calibration import Calibration
from plumbline.bundle.finding import Diagnosis, Verdict
from plumbline.bundle.golden import GoldenRows
from plumbline.bundle.manifest import (
    DataSpec,
    FeatureSpec,
    LabelSpec,
    LossSpec,
    Manifest,
    ScalerSpec,
)
from plumbline.bundle.policy import DecisionPolicy
from plumbline.bundle.reference import ReferenceProfile
from plumbline.bundle.validation import ValidationReport

START = datetime(2017, 6, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
ACTIONS = ("SELL", "HOLD", "BUY")
OPSET = 17


def linear_onnx(weights: np.ndarray, window: int, features: int) -> bytes:
    """Return the graph ``logits = flatten(features) · weights``, batch size dynamic.

    Parameters
    ----------
    weights : (window * features, k) float32
    """
    classes = weights.shape[1]
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["features"], ["flat"], axis=1),
            helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
        ],
        "linear",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", window, features])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", classes])],
        [numpy_helper.from_array(weights.astype(np.float32), "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model.SerializeToString()


def small_bundle(
    name: str = "eurusd-1h",
    *,
    classes: int = 3,
    features: int = 4,
    window: int = 3,
    rows: int = 300,
    seed: int = 0,
    passed: bool = True,
) -> tuple[Manifest, dict[str, bytes]]:
    """Return the manifest and files of a bundle that verifies, loads and passes its golden rows.

    Parameters
    ----------
    name, classes, features, window
        Model name, number of classes (3: SELL, HOLD, BUY), of features and of steps in a window.
    rows
        Length of the reference stream: an autoregressive series seen through the model.
    seed
        Another seed gives another model, and so another version.
    passed
        What the validation report says of the gate.
    """
    rng = np.random.default_rng(seed)
    weights = rng.normal(0, 0.5, (window * features, classes)).astype(np.float32)
    windows = _windows(rng, rows, window, features)
    logits = windows.reshape(rows, -1) @ weights
    labels = np.array(
        [rng.choice(classes, p=p) for p in Calibration.identity(classes).apply(logits)]
    )
    prior = (np.bincount(labels, minlength=classes) + 1.0) / (rows + classes)
    policy = DecisionPolicy(prior=tuple(prior / prior.sum()))
    calibration = Calibration(
        temperature=1.1, bias=(0.0,) * classes, prior_correction=(0.0,) * classes, rows=rows
    )
    files = {
        "model.onnx": linear_onnx(weights, window, features),
        "calibration.json": calibration.to_json(),
        "reference.npz": _reference(windows, logits, labels, calibration, policy).to_bytes(),
        "validation.json": _report(passed, rows).to_json(),
        "golden.npz": GoldenRows(windows[:8], logits[:8].astype(np.float32)).to_bytes(),
    }
    manifest = _manifest(
        name,
        policy,
        files,
        classes=classes,
        features=features,
        window=window,
        rows=rows,
        seed=seed,
    )
    return manifest, files


def _windows(rng: np.random.Generator, rows: int, window: int, features: int) -> np.ndarray:
    """Return overlapping windows ``(rows, window, features) float32`` of one persistent series."""
    series = np.zeros((rows + window - 1, features))
    for step in range(1, len(series)):
        series[step] = 0.9 * series[step - 1] + rng.normal(0, 0.5, features)
    views = np.lib.stride_tricks.sliding_window_view(series, window, axis=0)
    return np.ascontiguousarray(views.transpose(0, 2, 1), dtype=np.float32)


def _reference(
    windows: np.ndarray,
    logits: np.ndarray,
    labels: np.ndarray,
    calibration: Calibration,
    policy: DecisionPolicy,
) -> ReferenceProfile:
    probabilities = calibration.apply(logits)
    first = int(START.timestamp() * 1e6)
    step = int(HOUR.total_seconds() * 1e6)
    return ReferenceProfile(
        bar_time=first + step * np.arange(len(windows), dtype=np.int64),
        symbol=np.full(len(windows), "EURUSD"),
        features=windows[:, -1, :],
        logits=logits.astype(np.float32),
        probabilities=probabilities.astype(np.float32),
        actions=policy.decide(probabilities).astype(np.int8),
        labels=labels.astype(np.int8),
    )


def _report(passed: bool, rows: int) -> ValidationReport:
    verdict = Verdict.HEALTHY if passed else Verdict.DOMINANT_ACTION
    return ValidationReport(
        passed=passed,
        validation=Diagnosis(verdict=verdict, cause="made by a test", n=rows),
        metrics={"log_loss": 0.8, "log_loss_constant": 0.9},
        reasons=() if passed else ("one action holds 99 % of the rows",),
    )


def _manifest(
    name: str,
    policy: DecisionPolicy,
    files: dict[str, bytes],
    *,
    classes: int,
    features: int,
    window: int,
    rows: int,
    seed: int,
) -> Manifest:
    return Manifest(
        name=name,
        task="action",
        classes=ACTIONS if classes == len(ACTIONS) else tuple(f"C{i}" for i in range(classes)),
        family="linear",
        family_parameters={},
        features=FeatureSpec.of(tuple(f"feature_{i}" for i in range(features))),
        window_length=window,
        bar_interval_seconds=3600,
        scaler=ScalerSpec(mean=(0.0,) * features, scale=(1.0,) * features),
        label=LabelSpec(
            kind="forward_return", horizon_seconds=21600, parameters={"threshold": 0.00166}
        ),
        loss=LossSpec(kind="cross_entropy"),
        policy=policy,
        data=DataSpec(
            source="a seeded random series",
            sha256="0" * 64,
            symbols=("EURUSD",),
            train_start=START - 1000 * HOUR,
            train_end=START,
            reference_start=START,
            reference_end=START + rows * HOUR,
            rows={"read": rows + 1000, "train": 1000},
        ),
        training={"seed": seed},
        seed=seed,
        opset=OPSET,
        libraries={"onnx": onnx.__version__},
        created=START,
        files={file: digest_of(data) for file, data in files.items()},
    )
