"""Bundles broken on purpose: whole, verifiable, and wrong in exactly one way.

Each starts from the champion and keeps its reference profile and its identity; only the graph, and
the golden rows that belong to it, change. The bundles say so in their validation report, which did
not pass, so that nobody can promote one without force.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from plumbline.bundle.archive import Bundle, digest_of
from plumbline.bundle.array import FloatArray
from plumbline.bundle.calibration import Calibration
from plumbline.bundle.finding import Diagnosis, Verdict
from plumbline.bundle.golden import GoldenRows
from plumbline.bundle.inputs import with_constants
from plumbline.bundle.manifest import MANIFEST, Manifest
from plumbline.bundle.outputs import write_calibrations
from plumbline.bundle.validation import ValidationReport
from plumbline.store.objects import Objects

_OPSET = 18
_IR_VERSION = 10
_WEIGHTS = 64
"""Smaller tensors are no weights: shapes, scales, constants."""


def collapsed_graph(bundle: Bundle, mean: FloatArray, std: FloatArray, seed: int) -> bytes:
    """Return a graph whose logits vary with the input, but about a fixed point.

    Each logit is ``mean + std * g(x)``, where ``g`` is a random projection of the standardised last
    step, with mean 0 and standard deviation 1 over the reference rows.

    Parameters
    ----------
    bundle
        Gives the input's shape and the reference rows.
    mean, std : (k,) float64
        Of the logits.
    seed
        Of the projection.
    """
    rows = bundle.reference.features.astype(np.float64)
    centre, spread = rows.mean(axis=0), np.maximum(rows.std(axis=0), 1e-9)
    clipped = np.clip((rows - centre) / spread, -3, 3)
    weights = np.random.default_rng(seed).normal(size=(rows.shape[1], len(mean)))
    projected = clipped @ weights
    weights = weights / projected.std(axis=0) * std
    offset = mean - (projected.mean(axis=0) / projected.std(axis=0)) * std

    (given,), output = bundle.manifest.inputs, bundle.manifest.primary
    steps, features = given.shape
    constants = {
        "last": np.array(steps - 1, dtype=np.int64),
        "centre": centre.astype(np.float32),
        "spread": spread.astype(np.float32),
        "low": np.array(-3, dtype=np.float32),
        "high": np.array(3, dtype=np.float32),
        "weights": weights.astype(np.float32),
        "offset": offset.astype(np.float32),
    }
    nodes = [
        helper.make_node("Gather", [given.name, "last"], ["step"], axis=1),
        helper.make_node("Sub", ["step", "centre"], ["centred"]),
        helper.make_node("Div", ["centred", "spread"], ["scaled"]),
        helper.make_node("Clip", ["scaled", "low", "high"], ["clipped"]),
        helper.make_node("MatMul", ["clipped", "weights"], ["projected"]),
        helper.make_node("Add", ["projected", "offset"], [output]),
    ]
    graph = helper.make_graph(
        nodes,
        "collapsed",
        [helper.make_tensor_value_info(given.name, TensorProto.FLOAT, ["n", steps, features])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", len(mean)])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", _OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def shifted_graph(bundle: Bundle, offset: FloatArray) -> bytes:
    """Return the bundle's own graph with a constant added to its primary output's logits."""
    model, output = onnx.load_from_string(bundle.files["model.onnx"]), bundle.manifest.primary
    for node in model.graph.node:
        node.output[:] = ["unshifted" if name == output else name for name in node.output]
        node.input[:] = ["unshifted" if name == output else name for name in node.input]
    constant = numpy_helper.from_array(offset.astype(np.float32), "drill_offset")
    model.graph.initializer.append(constant)
    model.graph.node.append(helper.make_node("Add", ["unshifted", "drill_offset"], [output]))
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def perturbed_graph(bundle: Bundle, *, share: float, seed: int) -> bytes:
    """Return the bundle's own graph with every weight off by about a share of the tensor's size."""
    model, rng = onnx.load_from_string(bundle.files["model.onnx"]), np.random.default_rng(seed)
    for tensor in model.graph.initializer:
        weights = numpy_helper.to_array(tensor)
        if weights.dtype != np.float32 or weights.size < _WEIGHTS:
            continue
        noise = rng.normal(size=weights.shape) * share * weights.std()
        moved = numpy_helper.from_array((weights + noise).astype(np.float32), tensor.name)
        tensor.CopyFrom(moved)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def run_graph(
    graph: bytes, bundle: Bundle, inputs: Mapping[str, FloatArray]
) -> dict[str, FloatArray]:
    """Run a graph on named inputs and return every output's raw numbers, rows first."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    specs, rows = bundle.manifest.outputs, len(next(iter(inputs.values())))
    given = with_constants(bundle.manifest.inputs, inputs, rows)
    found = session.run([spec.name for spec in specs], given)
    return {
        spec.name: np.asarray(raw, np.float32).reshape(rows, spec.numbers)
        for spec, raw in zip(specs, found, strict=True)
    }


def with_graph(
    bundle: Bundle,
    graph: bytes,
    *,
    drill: str,
    calibrations: Mapping[str, Calibration] | None = None,
) -> tuple[Manifest, dict[str, bytes]]:
    """Return the bundle with another graph, ready to be written.

    Parameters
    ----------
    bundle
        The bundle to start from.
    graph
        ONNX, with the same input and output.
    drill
        Named in the validation report and in the manifest.
    calibrations
        Instead of the bundle's own.
    """
    inputs, group = bundle.golden.inputs, bundle.golden.group
    golden = GoldenRows(inputs, run_graph(graph, bundle, inputs), group)
    reason = f"made by the drill {drill} on purpose"
    verdict = Diagnosis(
        verdict=Verdict.INSUFFICIENT_DATA,
        cause=reason,
        n=0,
    )
    report = ValidationReport(passed=False, validation=verdict, metrics={}, reasons=(reason,))
    files = {name: data for name, data in bundle.files.items() if name != "model.pt"}
    files |= {
        "model.onnx": graph,
        "golden.npz": golden.to_bytes(),
        "calibration.json": write_calibrations(calibrations or bundle.outputs.calibrations),
        "validation.json": report.to_json(),
    }
    manifest = bundle.manifest.model_copy(
        update={
            "files": {name: digest_of(data) for name, data in files.items()},
            "parent": bundle.version,
            "created": datetime.now(UTC),
            "training": bundle.manifest.training | {"drill": drill},
        }
    )
    return manifest, files


def write_corrupt(
    objects: Objects, manifest: Manifest, files: Mapping[str, bytes], *, name: str
) -> str:
    """Upload a bundle with one bit of a file flipped on the way; return its version."""
    folder = f"models/{name}/versions/{manifest.version}"
    for file, data in files.items():
        if file == "model.onnx":
            middle = len(data) // 2
            data = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]  # noqa: PLW2901 - the damaged copy replaces the sound one
        objects.create(f"{folder}/{file}", data)
    objects.create(f"{folder}/{MANIFEST}", manifest.to_json())
    return manifest.version
