"""A stranger's ONNX graph, brought into the form every bundle has.

The graph itself is not touched: nodes are put before its inputs and after its outputs. In front, a
32-bit input is cast to whatever type the graph wants. Behind, probabilities become logits, a map
becomes the tensor it was made of, mean and deviation become one output, and each output gets its
own name and shape ``(n, members · width)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from plumbline.bundle.array import AnyArray, FloatArray
from plumbline.training.errors import ExportError

BATCH = "batch"
FLOATS = {TensorProto.FLOAT: "float32", TensorProto.DOUBLE: "float64"}
_CASTED = {TensorProto.INT64, TensorProto.INT32, TensorProto.FLOAT16, TensorProto.BOOL}
_LEAST = np.float32(1e-7)

DYNAMIC = (
    "export it with an open batch: torch.onnx.export(model, (x,), 'model.onnx', dynamo=True, "
    "dynamic_shapes=({0: 'batch'},)), convert_sklearn(model, initial_types=[('x', "
    "FloatTensorType([None, F]))]) or onnxmltools.convert_lightgbm(model, initial_types=[('x', "
    "FloatTensorType([None, F]))])"
)


@dataclass(frozen=True)
class GraphInput:
    """What the graph takes: its name, the shape of a row (None where it is open), its type."""

    name: str
    shape: tuple[int | None, ...]
    dtype: int


@dataclass(frozen=True)
class GraphOutput:
    """What the graph gives: a tensor's name, and the choices it names, if it does."""

    name: str
    tensor: str
    choices: tuple[str, ...]


def read_graph(path: Path) -> bytes:
    """Read an ONNX file, with the weights that its exporter may have put into a file beside it.

    Raises
    ------
    ExportError
        If it cannot be read.
    """
    if not path.is_file():
        raise ExportError(f"cannot read {path}: there is no such file")
    try:
        return bytes(onnx.load(path).SerializeToString())
    except Exception as error:
        raise ExportError(f"{path}: not an ONNX file: {error}") from error


class Graph:
    """A graph to be adapted.

    Parameters
    ----------
    data
        ONNX.

    Raises
    ------
    ExportError
        If it is none, keeps its weights in other files, or takes what no request can carry.
    """

    def __init__(self, data: bytes) -> None:
        try:
            self.model = onnx.load_from_string(data)
            onnx.checker.check_model(self.model)
        except Exception as error:
            twice = (
                ": a weight and an output share a name; give output_names of their own, or rename "
                "the buffer"
                if "single static assignment" in str(error)
                else ""
            )
            raise ExportError(f"not a valid ONNX graph: {error}{twice}") from error
        if any(each.data_location == TensorProto.EXTERNAL for each in self._graph.initializer):
            raise ExportError("the graph keeps its weights in a file beside it, which is not there")
        weights = {each.name for each in self._graph.initializer}
        self.inputs = tuple(_input(each) for each in self._graph.input if each.name not in weights)
        self.outputs = tuple(self._output(each) for each in self._graph.output)
        self._open_batch(weights)
        for node in [each for each in self._graph.node if each.op_type == "ZipMap"]:
            self._graph.node.remove(node)  # what it is of was found; of doubles it would not run

    @property
    def opset(self) -> int:
        """Of the standard operators."""
        return int(next(each.version for each in self.model.opset_import if not each.domain))

    @property
    def _graph(self) -> Any:
        return self.model.graph

    def output(self, name: str) -> GraphOutput:
        """Return an output by name; raises `ExportError` with those there are."""
        found = {each.name: each for each in self.outputs}
        if name not in found:
            raise ExportError(f"the graph has no output {name!r}; it has {sorted(found)}")
        return found[name]

    def _output(self, value: Any) -> GraphOutput:
        """Look behind a map, as skl2onnx and onnxmltools append one, at the tensor it is of."""
        for node in self._graph.node:
            if node.op_type == "ZipMap" and value.name in node.output:
                names = next(
                    (
                        [_text(each) for each in (*attribute.strings, *attribute.ints)]
                        for attribute in node.attribute
                        if attribute.name.startswith("classlabels")
                    ),
                    [],
                )
                return GraphOutput(value.name, node.input[0], tuple(names))
        if value.type.WhichOneof("value") != "tensor_type":
            raise ExportError(
                f"output {value.name!r} is no tensor but a {value.type.WhichOneof('value')}: "
                "export it as one, with convert_sklearn(…, options={'zipmap': False})"
            )
        return GraphOutput(value.name, value.name, ())

    def _open_batch(self, weights: set[str]) -> None:
        """Say that the first axis is open; whether it really is shows when the graph is run."""
        for value in (*self._graph.input, *self._graph.output):
            dims = value.type.tensor_type.shape.dim
            if value.name not in weights and dims and dims[0].dim_value in {0, 1}:
                dims[0].dim_param = BATCH
        self._graph.ClearField("value_info")

    def rename(self, old: str, new: str) -> None:
        """Give a tensor of the graph another name, wherever it is used."""
        for node in self._graph.node:
            node.input[:] = [new if each == old else each for each in node.input]
            node.output[:] = [new if each == old else each for each in node.output]

    def take(self, given: GraphInput, name: str, shape: Sequence[int], dtype: str) -> None:
        """Let an input have this name, shape and type, whatever the graph calls it."""
        kind = TensorProto.DOUBLE if dtype == "float64" else TensorProto.FLOAT
        (old,) = (each for each in self._graph.input if each.name == given.name)
        self._graph.input.remove(old)
        inner = f"pack.{given.name}"
        self.rename(given.name, inner)
        made = helper.make_tensor_value_info(name, kind, [BATCH, *shape])
        self._graph.input.append(made)
        node = (
            helper.make_node("Identity", [name], [inner])
            if kind == given.dtype
            else helper.make_node("Cast", [name], [inner], to=given.dtype)
        )
        self._graph.node.insert(0, node)

    def give(self, outputs: Sequence[tuple[str, str, int]]) -> None:
        """Let the graph give these tensors under these names: (name, tensor, numbers of a row)."""
        taken = {each.name for each in self._graph.input}
        for name, tensor, _ in outputs:
            taken |= {name} if name == tensor else set()
        del self._graph.output[:]
        for name, tensor, numbers in outputs:
            source = tensor
            if any(name in node.output for node in self._graph.node) or name == tensor:
                self.rename(name, f"pack.inner.{name}")
                source = f"pack.inner.{name}" if tensor == name else tensor
            self._add("Cast", [source], f"{name}.float", to=TensorProto.FLOAT)
            shape = self._constant(f"{name}.shape", np.array([-1, numbers], np.int64))
            self._add("Reshape", [f"{name}.float", shape], name)
            self._graph.output.append(
                helper.make_tensor_value_info(name, TensorProto.FLOAT, [BATCH, numbers])
            )

    def log_of(self, tensor: str, name: str) -> str:
        """Add ``log(max(p, 1e-7))`` of a tensor of probabilities; its softmax is ``p`` again."""
        self._add("Cast", [tensor], f"{name}.p", to=TensorProto.FLOAT)
        least = self._constant(f"{name}.least", np.array([_LEAST]))
        self._add("Max", [f"{name}.p", least], f"{name}.positive")
        return self._add("Log", [f"{name}.positive"], f"{name}.logits")

    def both_of(self, tensor: str, name: str) -> str:
        """Add ``(1 - p, p)`` of a tensor ``(n,)`` or ``(n, 1)`` of single probabilities."""
        self._add("Cast", [tensor], f"{name}.single", to=TensorProto.FLOAT)
        shape = self._constant(f"{name}.column", np.array([-1, 1], np.int64))
        self._add("Reshape", [f"{name}.single", shape], f"{name}.one")
        one = self._constant(f"{name}.unit", np.array([1.0], np.float32))
        self._add("Sub", [one, f"{name}.one"], f"{name}.other")
        return self._add("Concat", [f"{name}.other", f"{name}.one"], f"{name}.both", axis=1)

    def against_zero(self, tensor: str, name: str) -> str:
        """Add ``(0, z)`` of a tensor ``(n,)`` or ``(n, 1)`` of single log-odds."""
        self._add("Cast", [tensor], f"{name}.single", to=TensorProto.FLOAT)
        shape = self._constant(f"{name}.column", np.array([-1, 1], np.int64))
        self._add("Reshape", [f"{name}.single", shape], f"{name}.one")
        self._add("Sub", [f"{name}.one", f"{name}.one"], f"{name}.zero")
        return self._add("Concat", [f"{name}.zero", f"{name}.one"], f"{name}.both", axis=1)

    def halves(self, pairs: str, name: str) -> tuple[str, str]:
        """Add the first and the second of the pairs a tensor ``(n, members · 2)`` is made of."""
        self._add("Cast", [pairs], f"{name}.pairs.float", to=TensorProto.FLOAT)
        shape = self._constant(f"{name}.two", np.array([-1, 2], np.int64))
        self._add("Reshape", [f"{name}.pairs.float", shape], f"{name}.pairs")
        found = []
        for place, part in enumerate(("first", "second")):
            index = self._constant(f"{name}.{part}", np.array([place], np.int64))
            found.append(self._add("Gather", [f"{name}.pairs", index], f"{name}.{part}", axis=1))
        return found[0], found[1]

    def beside(self, mean: str, deviation: str, form: str, name: str) -> str:
        """Add ``(mean, standard deviation)`` of two tensors of one number a row."""
        shape = self._constant(f"{name}.column", np.array([-1, 1], np.int64))
        for part, tensor in (("mean", mean), ("spread", deviation)):
            self._add("Cast", [tensor], f"{name}.{part}.float", to=TensorProto.FLOAT)
            self._add("Reshape", [f"{name}.{part}.float", shape], f"{name}.{part}")
        spread = f"{name}.spread"
        if form.startswith("log"):
            half = self._constant(
                f"{name}.half", np.array([0.5 if "variance" in form else 1.0], np.float32)
            )
            self._add("Mul", [spread, half], f"{name}.log")
            spread = self._add("Exp", [f"{name}.log"], f"{name}.exp")
        elif form == "variance":
            spread = self._add("Sqrt", [spread], f"{name}.sqrt")
        return self._add("Concat", [f"{name}.mean", spread], f"{name}.pair", axis=1)

    def to_bytes(self) -> bytes:
        """Return the graph; raises `ExportError` if it is no longer one."""
        self.model.graph.ClearField("doc_string")
        try:
            onnx.checker.check_model(self.model)
        except onnx.checker.ValidationError as error:
            raise ExportError(f"the graph cannot be adapted: {error}") from error
        return bytes(self.model.SerializeToString(deterministic=True))

    def tapped(self, tensors: Sequence[str]) -> bytes:
        """Return a copy of the graph that gives these tensors alone, to see what they hold."""
        copy = onnx.ModelProto()
        copy.CopyFrom(self.model)
        del copy.graph.output[:]
        for name in dict.fromkeys(tensors):
            value = helper.make_empty_tensor_value_info(name)
            copy.graph.output.append(value)
        return bytes(copy.SerializeToString())

    def _add(self, operator: str, inputs: Sequence[str], output: str, **how: object) -> str:
        self._graph.node.append(helper.make_node(operator, list(inputs), [output], **how))
        return output

    def _constant(self, name: str, value: AnyArray) -> str:
        full = f"pack.{name}"
        self._graph.initializer.append(numpy_helper.from_array(value, full))
        return full


def _input(value: Any) -> GraphInput:
    tensor = value.type.tensor_type
    if tensor.elem_type not in FLOATS and tensor.elem_type not in _CASTED:
        kind = TensorProto.DataType.Name(tensor.elem_type) if tensor.elem_type else "no tensor"
        raise ExportError(
            f"input {value.name!r} is {kind}: a request carries numbers; encode text and "
            "categories before the model"
        )
    dims = [each.dim_value if each.HasField("dim_value") else None for each in tensor.shape.dim]
    if len(dims) not in {2, 3}:
        raise ExportError(
            f"input {value.name!r} has the shape {dims}: expected [batch, columns] or "
            "[batch, steps, columns]"
        )
    if dims[0] not in {None, 0, 1}:
        raise ExportError(f"input {value.name!r} has a batch fixed at {dims[0]}: {DYNAMIC}")
    return GraphInput(value.name, tuple(dim or None for dim in dims[1:]), tensor.elem_type)


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def looks_like_probabilities(values: FloatArray) -> bool:
    """Whether rows ``(n, k)`` lie between zero and one and sum to one."""
    inside = (values >= -1e-6).all() and (values <= 1 + 1e-6).all()
    return bool(inside and np.abs(values.sum(axis=1) - 1).max() < 1e-3)
