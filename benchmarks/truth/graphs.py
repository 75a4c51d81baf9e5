"""Bundles whose own graph is another: what a gate might have let through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from plumbline.bundle.archive import Bundle
from plumbline.bundle.array import FloatArray
from plumbline.bundle.spec import OutputSpec
from plumbline.drills.fault import with_graph


@dataclass(frozen=True)
class Said:
    """What a sound graph's output was over the reference.

    Attributes
    ----------
    spec
        Of the output.
    mean, spread : (members · width,) float64
        Of each raw number.
    """

    spec: OutputSpec
    mean: FloatArray
    spread: FloatArray


def said_of(bundle: Bundle) -> dict[str, Said]:
    """Return what every output was over the reference, by name."""
    raw = bundle.reference.raw.astype(np.float64)
    return {
        spec.name: Said(
            spec,
            raw[:, bundle.outputs.raw_slices[spec.name]].mean(axis=0),
            np.maximum(raw[:, bundle.outputs.raw_slices[spec.name]].std(axis=0), 1e-12),
        )
        for spec in bundle.manifest.outputs
    }


Edit = Callable[[Said], tuple[FloatArray | float, FloatArray | float]]
"""From what an output was to a factor (a matrix mixes its numbers) and what is added."""


def affine(bundle: Bundle, edit: Edit, *, only: str | None = None) -> bytes:
    """Return a bundle's graph with its outputs multiplied and added to.

    Deviations that a value has beside its mean are left alone by scalar factors of means; an edit
    that wants them changed gives vectors.

    Parameters
    ----------
    bundle
        Whose graph.
    edit
        See `Edit`.
    only
        Change this output alone.
    """
    model = onnx.load_from_string(bundle.files["model.onnx"])
    for name, said in said_of(bundle).items():
        if only is not None and name != only:
            continue
        factor, offset = edit(said)
        _append(model, name, said, np.asarray(factor, np.float64), np.asarray(offset, np.float64))
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _append(
    model: onnx.ModelProto, name: str, said: Said, factor: FloatArray, offset: FloatArray
) -> None:
    inner = f"sound.{name}"
    for node in model.graph.node:
        node.output[:] = [inner if each == name else each for each in node.output]
        node.input[:] = [inner if each == name else each for each in node.input]
    (shape,) = (
        [each.dim_value for each in out.type.tensor_type.shape.dim][1:]
        for out in model.graph.output
        if out.name == name
    )
    numbers = said.spec.numbers
    matrix = factor if factor.ndim == 2 else np.diag(np.broadcast_to(factor, numbers))
    added = np.broadcast_to(offset, numbers)
    constants = {
        f"flat.{name}": np.array([-1, numbers], np.int64),
        f"matrix.{name}": matrix.astype(np.float32),
        f"added.{name}": added.astype(np.float32),
        f"shape.{name}": np.array([-1, *shape], np.int64),
    }
    for key, value in constants.items():
        model.graph.initializer.append(numpy_helper.from_array(value, key))
    for kind, given, made in (
        ("Reshape", [inner, f"flat.{name}"], f"flattened.{name}"),
        ("MatMul", [f"flattened.{name}", f"matrix.{name}"], f"mixed.{name}"),
        ("Add", [f"mixed.{name}", f"added.{name}"], f"moved.{name}"),
        ("Reshape", [f"moved.{name}", f"shape.{name}"], name),
    ):
        model.graph.node.append(helper.make_node(kind, given, [made]))


def stretched(said: Said, factor: float) -> tuple[FloatArray, FloatArray]:
    """Return the edit that multiplies what an output says about its mean.

    The deviation that a value has beside its mean stays.
    """
    factors = np.full((said.spec.members, said.spec.width), factor)
    if said.spec.kind == "value" and said.spec.width > 1:
        factors[:, 1] = 1.0
    flat = factors.reshape(-1)
    return flat, (1.0 - flat) * said.mean


def masked_inputs(bundle: Bundle, factor: FloatArray, offset: FloatArray) -> bytes:
    """Return a bundle's graph that sees ``factor · x + offset`` for ``x``: ``(steps, columns)``."""
    model = onnx.load_from_string(bundle.files["model.onnx"])
    (given,) = bundle.manifest.inputs
    seen = f"seen.{given.name}"
    for node in model.graph.node:
        node.input[:] = [seen if each == given.name else each for each in node.input]
    for key, value in (("mask", factor), ("fill", offset)):
        whole = np.broadcast_to(value, given.shape).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(whole, f"{key}.{given.name}"))
    model.graph.node.insert(
        0, helper.make_node("Mul", [given.name, f"mask.{given.name}"], ["some"])
    )
    model.graph.node.insert(1, helper.make_node("Add", ["some", f"fill.{given.name}"], [seen]))
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def projected(bundle: Bundle, seed: int) -> bytes:
    """Return a graph whose outputs are random projections of the last step.

    Each raw number has the mean and the spread that the sound graph's has over the reference; the
    deviation beside a value's mean is constant.
    """
    rows = bundle.reference.features.astype(np.float64)
    centre, scale = rows.mean(axis=0), np.maximum(rows.std(axis=0), 1e-9)
    clipped = np.clip((rows - centre) / scale, -3, 3)
    (given,) = bundle.manifest.inputs
    rng = np.random.default_rng(seed)
    steps = given.shape[0]
    constants: dict[str, FloatArray] = {
        "last": np.array(steps - 1, np.int64),
        "centre": centre.astype(np.float32),
        "scale": scale.astype(np.float32),
        "low": np.array(-3, np.float32),
        "high": np.array(3, np.float32),
    }
    nodes = [
        helper.make_node("Gather", [given.name, "last"], ["step"], axis=1),
        helper.make_node("Sub", ["step", "centre"], ["centred"]),
        helper.make_node("Div", ["centred", "scale"], ["scaled"]),
        helper.make_node("Clip", ["scaled", "low", "high"], ["clipped"]),
    ]
    made = []
    for name, said in said_of(bundle).items():
        weights = rng.normal(size=(len(centre), said.spec.numbers))
        through = clipped @ weights
        spread = said.spread.copy()
        if said.spec.kind == "value" and said.spec.width > 1:
            spread[1 :: said.spec.width] = 0.0
        weights *= spread / through.std(axis=0)
        offset = said.mean - through.mean(axis=0) * spread / through.std(axis=0)
        constants[f"weights.{name}"] = weights.astype(np.float32)
        constants[f"offset.{name}"] = offset.astype(np.float32)
        nodes.append(helper.make_node("MatMul", ["clipped", f"weights.{name}"], [f"p.{name}"]))
        nodes.append(helper.make_node("Add", [f"p.{name}", f"offset.{name}"], [name]))
        shape = ["n", said.spec.numbers]
        made.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    whole = helper.make_graph(
        nodes,
        "projected",
        [helper.make_tensor_value_info(given.name, TensorProto.FLOAT, ["n", *given.shape])],
        made,
        [numpy_helper.from_array(value, key) for key, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 18)]
    model = helper.make_model(whole, opset_imports=opsets, ir_version=10)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def bent(bundle: Bundle, spreads: float) -> bytes:
    """Return a bundle's graph whose numbers stand at two places, so many spreads from the mean."""
    model = onnx.load_from_string(bundle.files["model.onnx"])
    for name, said in said_of(bundle).items():
        inner = f"straight.{name}"
        for node in model.graph.node:
            node.output[:] = [inner if each == name else each for each in node.output]
            node.input[:] = [inner if each == name else each for each in node.input]
        (shape,) = (
            [each.dim_value for each in out.type.tensor_type.shape.dim][1:]
            for out in model.graph.output
            if out.name == name
        )
        for key, value in (("mean", said.mean), ("sharp", 50 / said.spread)):
            array = np.reshape(value, shape).astype(np.float32)
            model.graph.initializer.append(numpy_helper.from_array(array, f"{key}.{name}"))
        reach = np.reshape(spreads * said.spread, shape).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(reach, f"reach.{name}"))
        for kind, given, made in (
            ("Sub", [inner, f"mean.{name}"], f"b0.{name}"),
            ("Mul", [f"b0.{name}", f"sharp.{name}"], f"b1.{name}"),
            ("Tanh", [f"b1.{name}"], f"b2.{name}"),
            ("Mul", [f"b2.{name}", f"reach.{name}"], f"b3.{name}"),
            ("Add", [f"b3.{name}", f"mean.{name}"], name),
        ):
            model.graph.node.append(helper.make_node(kind, given, [made]))
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def torn(graph: bytes, share: float, seed: int) -> bytes:
    """Return a graph a share of whose weights are noughts, one block in each large tensor."""
    model, rng = onnx.load_from_string(graph), np.random.default_rng(seed)
    for each in model.graph.initializer:
        value = numpy_helper.to_array(each)
        if value.dtype != np.float32 or value.ndim < 2:
            continue
        flat = value.copy().ravel()
        count = max(int(len(flat) * share), 1)
        begin = int(rng.integers(0, max(len(flat) - count, 1)))
        flat[begin : begin + count] = 0.0
        each.CopyFrom(numpy_helper.from_array(flat.reshape(value.shape), each.name))
    return bytes(model.SerializeToString())


def bundle_with(bundle: Bundle, graph: bytes) -> Bundle:
    """Return the bundle that has another graph and golden rows that fit it; the reference stays."""
    manifest, files = with_graph(bundle, graph, drill="truth")
    return Bundle(manifest, files)
