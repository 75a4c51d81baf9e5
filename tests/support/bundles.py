"""Small real bundles: a linear model whose ONNX graph runs and gives its golden rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from plumbline.bundle.archive import digest_of
from plumbline.bundle.calibration import (
    Calibration,
    ChoiceCalibration,
    ScoreCalibration,
    ValueCalibration,
)
from plumbline.bundle.finding import Diagnosis, Verdict
from plumbline.bundle.golden import GoldenRows
from plumbline.bundle.manifest import (
    REQUIRED_FILES,
    DataSpec,
    LabelSpec,
    LossSpec,
    Manifest,
    PolicySpec,
    ScalerSpec,
)
from plumbline.bundle.outputs import Outputs, write_calibrations
from plumbline.bundle.reference import NO_ACTION, ReferenceProfile
from plumbline.bundle.spec import InputSpec, OutputSpec
from plumbline.bundle.validation import ValidationReport

START = datetime(2017, 6, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
ACTIONS = ("SELL", "HOLD", "BUY")
OPSET = 17


def choice_output(choices: int = 3, *, members: int = 1, name: str = "h6") -> OutputSpec:
    """Return the specification of a choice: SELL, HOLD, BUY, or C0 to the last."""
    names = ACTIONS if choices == len(ACTIONS) else tuple(f"C{i}" for i in range(choices))
    return OutputSpec(
        name=name,
        kind="choice",
        horizon_seconds=21600,
        width=choices,
        members=members,
        choices=names,
        positions=tuple(np.linspace(-1.0, 1.0, choices).tolist()),
    )


def value_output(*, width: int = 1, members: int = 1, name: str = "r6") -> OutputSpec:
    """Return the specification of a forecast."""
    return OutputSpec(name=name, kind="value", horizon_seconds=21600, width=width, members=members)


def score_output(*, members: int = 1, name: str = "s6") -> OutputSpec:
    """Return the specification of a score."""
    return OutputSpec(name=name, kind="score", horizon_seconds=21600, width=1, members=members)


def linear_onnx(
    weights: np.ndarray, window: int, features: int, outputs: tuple[OutputSpec, ...] = ()
) -> bytes:
    """Return the graph ``raw = flatten(features) · weights``, batch size dynamic.

    Parameters
    ----------
    weights : (window * features, Σ numbers) float32
    outputs
        Each gets its columns of the product; by default one choice has all of them. The second
        number of a value's member, its deviation, is made positive.
    """
    outputs = outputs or (choice_output(weights.shape[1]),)
    nodes = [helper.make_node("Flatten", ["features"], ["flat"], axis=1)]
    constants, begin = [], 0
    for spec in outputs:
        own = weights[:, begin : begin + spec.numbers].astype(np.float32)
        begin += spec.numbers
        constants.append(numpy_helper.from_array(own, f"{spec.name}.weights"))
        last = f"{spec.name}.linear" if spec.kind == "value" and spec.width == 2 else spec.name
        nodes.append(helper.make_node("MatMul", ["flat", f"{spec.name}.weights"], [last]))
        if last != spec.name:
            is_mean = np.tile(np.array([True, False]), spec.members)
            constants.append(numpy_helper.from_array(is_mean, f"{spec.name}.is_mean"))
            nodes.append(helper.make_node("Softplus", [last], [f"{spec.name}.positive"]))
            parts = [f"{spec.name}.is_mean", last, f"{spec.name}.positive"]
            nodes.append(helper.make_node("Where", parts, [spec.name]))
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", window, features])],
        [
            helper.make_tensor_value_info(spec.name, TensorProto.FLOAT, ["batch", spec.numbers])
            for spec in outputs
        ],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model.SerializeToString()


def small_bundle(
    name: str = "eurusd-1h",
    *,
    classes: int = 3,
    outputs: tuple[OutputSpec, ...] = (),
    features: int = 4,
    window: int = 3,
    rows: int = 300,
    seed: int = 0,
    passed: bool = True,
    parted: bool = False,
) -> tuple[Manifest, dict[str, bytes]]:
    """Return the manifest and files of a bundle that verifies, loads and passes its golden rows.

    Parameters
    ----------
    name, features, window
        Model name, number of features and of steps in a window.
    classes, outputs
        What it gives: by default one choice of so many classes (3: SELL, HOLD, BUY). The first
        output is the primary one. With a score among them, ten rows are a cross-section.
    rows
        Length of the reference stream: an autoregressive series seen through the model.
    seed
        Another seed gives another model, and so another version.
    passed, parted
        What the validation report says of the gate.
    """
    rng = np.random.default_rng(seed)
    outputs = outputs or (choice_output(classes),)
    width = sum(spec.numbers for spec in outputs)
    weights = rng.normal(0, 0.5, (window * features, width)).astype(np.float32)
    windows = _windows(rng, rows, window, features)
    raw = _raw(windows.reshape(rows, -1) @ weights, outputs)
    calibrations = {spec.name: _calibration(spec, rows) for spec in outputs}
    group = np.arange(rows) // (10 if any(spec.kind == "score" for spec in outputs) else 1)
    policy = _policy(outputs[0], calibrations, raw, rng)
    manifest = _manifest(
        name, outputs, policy, features=features, window=window, rows=rows, seed=seed
    )
    reading = Outputs.of(manifest, calibrations)
    golden = slice(0, 10)
    files = {
        "model.onnx": linear_onnx(weights, window, features, outputs),
        "calibration.json": write_calibrations(calibrations),
        "reference.npz": _reference(windows, raw, group, reading, rng).to_bytes(),
        "validation.json": _report(passed, rows, parted=parted).to_json(),
        "golden.npz": GoldenRows(
            {"features": windows[golden]},
            {each: raw[golden, part] for each, part in reading.raw_slices.items()},
            group[golden],
        ).to_bytes(),
    }
    digests = {file: digest_of(data) for file, data in files.items()}
    return manifest.model_copy(update={"files": digests}), files


def _raw(product: np.ndarray, outputs: tuple[OutputSpec, ...]) -> np.ndarray:
    """Return what the graph gives: deviations made positive."""
    raw, begin = product.astype(np.float32).copy(), 0
    for spec in outputs:
        if spec.kind == "value" and spec.width == 2:
            places = slice(begin + 1, begin + spec.numbers, 2)
            raw[:, places] = np.log1p(np.exp(raw[:, places]))
        begin += spec.numbers
    return raw


def _calibration(spec: OutputSpec, rows: int) -> Calibration:
    if spec.kind == "choice":
        zero = (0.0,) * spec.width
        return ChoiceCalibration(temperature=1.1, bias=zero, prior_correction=zero, rows=rows)
    if spec.kind == "value":
        return ValueCalibration(slope=0.9, intercept=0.01, noise=1.0, spread=1.5, rows=rows)
    return ScoreCalibration(slope=0.01, rows=rows)


def _policy(
    primary: OutputSpec,
    calibrations: dict[str, Calibration],
    raw: np.ndarray,
    rng: np.random.Generator,
) -> PolicySpec:
    if primary.kind != "choice":
        return PolicySpec(kind={"value": "kelly", "score": "rank"}[primary.kind])
    calibration = calibrations[primary.name]
    assert isinstance(calibration, ChoiceCalibration)
    labels = _drawn(calibration.apply(raw[:, : primary.width]), rng)
    prior = (np.bincount(labels, minlength=primary.width) + 1.0) / (len(raw) + primary.width)
    return PolicySpec(kind="argmax", parameters={"prior": (prior / prior.sum()).tolist()})


def _drawn(probabilities: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.array([rng.choice(len(p), p=p) for p in probabilities])


def _windows(rng: np.random.Generator, rows: int, window: int, features: int) -> np.ndarray:
    """Return overlapping windows ``(rows, window, features) float32`` of one persistent series."""
    series = np.zeros((rows + window - 1, features))
    for step in range(1, len(series)):
        series[step] = 0.9 * series[step - 1] + rng.normal(0, 0.5, features)
    views = np.lib.stride_tricks.sliding_window_view(series, window, axis=0)
    return np.ascontiguousarray(views.transpose(0, 2, 1), dtype=np.float32)


def _reference(
    windows: np.ndarray,
    raw: np.ndarray,
    group: np.ndarray,
    outputs: Outputs,
    rng: np.random.Generator,
) -> ReferenceProfile:
    readings = outputs.read(raw, group)
    decision = outputs.decide(readings, group)
    first = int(START.timestamp() * 1e6)
    step = int(HOUR.total_seconds() * 1e6)
    truth = [
        _drawn(readings[spec.name].centre, rng).astype(np.float64)
        if spec.kind == "choice"
        else readings[spec.name].centre[:, 0] + rng.normal(size=len(raw))
        for spec in outputs.specs
    ]
    none = np.full(len(raw), NO_ACTION, np.int8)
    return ReferenceProfile(
        bar_time=first + step * np.arange(len(windows), dtype=np.int64),
        symbol=np.full(len(windows), "EURUSD"),
        group=group.astype(np.int64),
        features=windows[:, -1, :],
        raw=raw,
        centre=outputs.centres(readings).astype(np.float32),
        epistemic=outputs.epistemics(readings).astype(np.float32),
        action=none if decision.action is None else decision.action.astype(np.int8),
        position=decision.position.astype(np.float32),
        size=decision.size.astype(np.float32),
        truth=np.stack(truth, axis=1),
    )


def _report(passed: bool, rows: int, *, parted: bool) -> ValidationReport:
    verdict = Verdict.HEALTHY if passed else Verdict.DOMINANT_ACTION
    return ValidationReport(
        passed=passed,
        parted=parted,
        validation=Diagnosis(verdict=verdict, cause="made by a test", n=rows),
        metrics={"log_loss": 0.8, "log_loss_constant": 0.9},
        reasons=() if passed else ("one action holds 99 % of the rows",),
    )


def _manifest(
    name: str,
    outputs: tuple[OutputSpec, ...],
    policy: PolicySpec,
    *,
    features: int,
    window: int,
    rows: int,
    seed: int,
) -> Manifest:
    names = tuple(f"feature_{i}" for i in range(features))
    nothing = digest_of(b"")
    return Manifest(
        name=name,
        inputs=(InputSpec(name="features", shape=(window, features), names=names),),
        outputs=outputs,
        primary=outputs[0].name,
        unit="cross_section" if any(spec.kind == "score" for spec in outputs) else "row",
        family="linear",
        family_parameters={},
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
        files=dict.fromkeys(REQUIRED_FILES, nothing),
    )
