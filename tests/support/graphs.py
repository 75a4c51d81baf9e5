"""Small real bundles of graphs with other inputs than one window of columns."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from plumbline.bundle.archive import Bundle, digest_of
from plumbline.bundle.golden import GoldenRows
from plumbline.bundle.inputs import with_constants
from plumbline.bundle.manifest import Manifest
from plumbline.bundle.spec import BAR_COLUMNS, FEATURES, FeatureSetSpec, InputSpec
from tests.support.bundles import OPSET, small_bundle

BARS = 5
KINDS = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE}
LOGS = ("log_open", "log_high", "log_low", "log_close")
SEVERAL = (
    InputSpec(name="window", shape=(3, 2), names=("a", "b")),
    InputSpec(name="extra", shape=(2,), names=("b", "c"), dtype="float64"),
    InputSpec(name="goal", shape=(1,), source="bundle", names=("return_to_go",), value=(2.0,)),
    InputSpec(name="past", shape=(2, 2), source="log", names=("action", "position")),
)
"""Columns over time, columns of one moment, a constant of the bundle, and the own past answers."""

Made = tuple[Manifest, dict[str, bytes]]


def bars_bundle(name: str = "eurusd-1h", *, seed: int = 0) -> Made:
    """Return a bundle whose graph takes five raw bars and computes four columns of the last."""
    rng = np.random.default_rng(seed)
    spec = InputSpec(
        name="bars", shape=(BARS, 6), source="bars", names=BAR_COLUMNS, dtype="float64"
    )
    weights = rng.normal(size=(len(LOGS), 3)).astype(np.float32)
    nodes = [
        helper.make_node("Gather", ["bars", "last"], ["row"], axis=1),
        helper.make_node("Slice", ["row", "from", "to", "axis"], ["prices"]),
        helper.make_node("Log", ["prices"], ["logs"]),
        helper.make_node("Cast", ["logs"], [FEATURES], to=TensorProto.FLOAT),
        helper.make_node("MatMul", [FEATURES, "weights"], ["h6"]),
    ]
    constants = {
        "last": np.array(BARS - 1),
        "from": np.array([1]),
        "to": np.array([5]),
        "axis": np.array([1]),
        "weights": weights,
    }
    graph = graph_of(nodes, constants, (spec,), {FEATURES: len(LOGS), "h6": 3})
    golden = {"bars": np.array([bars(i) for i in range(6)])}
    feature_set = FeatureSetSpec.of(LOGS, kind="logs_of_prices")
    return bundle_of(name, graph, (spec,), golden, feature_set=feature_set, seed=seed)


def bars(seed: int = 0, *, count: int = BARS, interval: float = 3600) -> list[list[float]]:
    """Return bars as a request has them, the time in seconds."""
    rng = np.random.default_rng(seed)
    close = np.exp(rng.normal(0, 0.01, count + 1).cumsum())
    return [
        [
            1_500_000_000 + i * interval,
            *(close[i], max(close[i : i + 2]) * 1.001, min(close[i : i + 2]) * 0.999, close[i + 1]),
            100.0 + i,
        ]
        for i in range(count)
    ]


def several_bundle(name: str = "eurusd-1h", *, seed: int = 0) -> Made:
    """Return a bundle whose graph adds up what each input of `SEVERAL` says."""
    rng = np.random.default_rng(seed)
    nodes, constants = [], {}
    for spec in SEVERAL:
        width = int(np.prod(spec.shape))
        constants[f"{spec.name}.weights"] = rng.normal(size=(width, 3)).astype(np.float32)
        nodes += [
            helper.make_node("Flatten", [spec.name], [f"{spec.name}.flat"], axis=1),
            helper.make_node(
                "Cast", [f"{spec.name}.flat"], [f"{spec.name}.float"], to=TensorProto.FLOAT
            ),
            helper.make_node(
                "MatMul", [f"{spec.name}.float", f"{spec.name}.weights"], [f"{spec.name}.said"]
            ),
        ]
    nodes.append(helper.make_node("Sum", [f"{spec.name}.said" for spec in SEVERAL], ["h6"]))
    graph = graph_of(nodes, constants, SEVERAL, {"h6": 3})
    golden = {
        spec.name: rng.normal(size=(6, *spec.shape)).astype(spec.dtype)
        for spec in SEVERAL
        if spec.source != "bundle"
    }
    return bundle_of(name, graph, SEVERAL, golden, seed=seed)


def graph_of(
    nodes: list[onnx.NodeProto],
    constants: dict[str, np.ndarray],
    inputs: tuple[InputSpec, ...],
    outputs: dict[str, int],
    *,
    batch: str | int = "batch",
) -> bytes:
    """Return a checked graph with these inputs and, by name, so many numbers of each output."""
    graph = helper.make_graph(
        nodes,
        "small",
        [
            helper.make_tensor_value_info(spec.name, KINDS[spec.dtype], [batch, *spec.shape])
            for spec in inputs
        ],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, width])
            for name, width in outputs.items()
        ],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model.SerializeToString()


def bundle_of(
    name: str,
    graph: bytes,
    inputs: tuple[InputSpec, ...],
    golden: dict[str, np.ndarray],
    *,
    feature_set: FeatureSetSpec | None = None,
    seed: int = 0,
) -> Made:
    """Return the small bundle with another graph, its inputs, and the golden rows it gives."""
    columns = sum(len(spec.names) for spec in inputs if spec.source == "features")
    width = len(feature_set.names) if feature_set else columns
    manifest, files = small_bundle(name, features=width, seed=seed)
    rows = len(next(iter(golden.values())))
    session = onnxruntime.InferenceSession(graph)
    (raw,) = session.run(["h6"], with_constants(inputs, golden, rows))
    files = {
        **files,
        "model.onnx": graph,
        "golden.npz": GoldenRows(golden, {"h6": raw}, np.arange(rows)).to_bytes(),
    }
    made = manifest.model_copy(
        update={
            "inputs": inputs,
            "feature_set": feature_set,
            "scaler": None,
            "files": {file: digest_of(data) for file, data in files.items()},
        }
    )
    Bundle(made, files).check()
    return made, files


def with_file(bundle: Bundle, name: str, data: bytes) -> Bundle:
    """Return the bundle with one file exchanged and its digest made to fit."""
    digests = {**bundle.manifest.files, name: digest_of(data)}
    manifest = bundle.manifest.model_copy(update={"files": digests})
    return Bundle(manifest, {**bundle.files, name: data})
