"""TorchScript as ONNX, so that a packed model is data like every other.

The archive is code, and opening it runs it: this is for the owner of a model, on their own machine.
A service never loads what is read here.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import onnx
import torch

from plumbline.training.errors import ConfigError, ExportError
from plumbline.training.packing.rows import read_rows
from plumbline.training.packing.spec import PackSpec

OPSET: Final = 20


def convert_torchscript(path: Path, spec: PackSpec, reference: Path) -> bytes:
    """Convert a module for the columns that a file of reference rows has; as `read_torchscript`."""
    truths = {output.label or output.name for output in spec.outputs}
    names = [name for name in read_rows(reference).names if name not in truths]
    return read_torchscript(path, spec, len(names))


def read_torchscript(path: Path, spec: PackSpec, width: int) -> bytes:
    """Convert a scripted or traced module.

    Parameters
    ----------
    path
        Of the archive.
    spec
        Names the inputs, and with ``steps`` those that are windows. A module names neither inputs
        nor outputs: those of the specification are taken, in their order.
    width
        Columns of the reference, for an input that names none.

    Raises
    ------
    ConfigError
        If the outputs say from which they come: a module's have no names. If it has more or fewer.
    ExportError
        If the module cannot be read, refuses the inputs, or holds what ONNX cannot.
    """
    if any(len(output.of) > 1 for output in spec.outputs):
        raise ConfigError(
            "a TorchScript module's outputs have no names, so that mean and deviation cannot be "
            "told apart: return them side by side, (n, 2)"
        )
    inputs = [(given.name, given.steps, len(given.columns) or width) for given in spec.inputs]
    inputs = inputs or [("features", None, width)]
    examples = tuple(
        torch.zeros(2, columns) if steps is None else torch.zeros(2, steps, columns)
        for _, steps, columns in inputs
    )
    names = [name for name, _, _ in inputs]
    outputs = [output.name for output in spec.outputs]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = torch.jit.load(path, map_location="cpu").eval()
            graph = _export(module, examples, names, outputs)
    except (RuntimeError, ValueError, OSError, torch.onnx.errors.OnnxExporterError) as error:
        raise ExportError(f"{path}: torch cannot convert it: {error}") from error
    given = len(onnx.load_from_string(graph).graph.output)
    if given != len(outputs):
        raise ConfigError(
            f"{path}: the module gives {given} outputs, described are {len(outputs)}: describe "
            "each in its order, and return mean and deviation of one side by side, (n, 2)"
        )
    return graph


def _export(
    module: torch.jit.ScriptModule,
    examples: tuple[torch.Tensor, ...],
    names: Sequence[str],
    outputs: Sequence[str],
) -> bytes:
    buffer = io.BytesIO()
    torch.onnx.export(
        module,
        examples,
        buffer,
        dynamo=False,
        opset_version=OPSET,
        input_names=list(names),
        output_names=list(outputs),
        dynamic_axes={name: {0: "batch"} for name in (*names, *outputs)},
    )
    return buffer.getvalue()
