"""Export: the trained network as ONNX and TorchScript, held against the network itself."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np
import onnx
import safetensors.torch
import torch
from torch import nn

from plumbline.bundle.array import FloatArray
from plumbline.bundle.spec import FEATURES, InputSpec, OutputSpec
from plumbline.training.errors import ExportError
from plumbline.training.network import BarNetwork, Network, ServedNetwork
from plumbline.training.onnx_model import OnnxModel

OPSET: Final = 20
TOLERANCE: Final = 1e-4
"""Largest absolute difference of raw numbers between exported and trained network, in their unit:
one for a choice or a score, the truth's standard deviation for a value."""


@dataclass(frozen=True)
class Exported:
    """One network in its forms; a bundle that only has the first is whole, too.

    Attributes
    ----------
    onnx
        The graph.
    torchscript
        The same, traced; None for a graph that takes bars, whose feature set may be a stranger's
        code, while what is served should be data.
    weights
        Of the core, as safetensors, for warm starts.
    opset
        Of the graph.
    """

    onnx: bytes
    torchscript: bytes | None
    weights: bytes | None
    opset: int


def export_network(
    served: ServedNetwork | BarNetwork, inputs: Sequence[InputSpec], examples: FloatArray
) -> Exported:
    """Export a network and check that its forms say what it says.

    Parameters
    ----------
    served
        In evaluation mode.
    inputs
        The one input it takes.
    examples : (m, *shape)
        Real windows or bars to compare on, at least two; the batch stays dynamic.

    Raises
    ------
    ExportError
        If a form differs by more than `TOLERANCE` at some batch size; the message names the output.
    """
    served.eval()
    (given,) = inputs
    specs = served.network.readout.specs
    names = [spec.name for spec in specs]
    takes_bars = isinstance(served, BarNetwork)
    graph = write_onnx(
        served, examples[:2], given.name, [*names, FEATURES] if takes_bars else names
    )
    exported = Exported(
        graph,
        None if takes_bars else write_torchscript(served, examples[:2]),
        write_weights(served.network),
        OPSET,
    )
    check_parity(served, exported, given, examples)
    return exported


def check_parity(
    served: ServedNetwork | BarNetwork, exported: Exported, given: InputSpec, examples: FloatArray
) -> float:
    """Return the largest difference of any form to the network, over several batch sizes.

    Raises
    ------
    ExportError
        If it exceeds `TOLERANCE`, naming form, output and batch size.
    """
    specs = served.network.readout.specs
    units = _units(served)
    forms = {"ONNX": _onnx_form(exported.onnx, given, specs, takes_bars=len(units) > len(specs))}
    if exported.torchscript is not None:
        forms["TorchScript"] = _torchscript_form(exported.torchscript)
    largest = 0.0
    for size in sorted({1, 2, 3, len(examples)}):
        with torch.inference_mode():
            expected = [each.numpy() for each in served(torch.from_numpy(examples[:size]))]
        for form, answer in forms.items():
            found = answer(examples[:size])
            for name, unit, one, other in zip(units, units.values(), found, expected, strict=True):
                difference = float((np.abs(one - other) / unit).max())
                if not difference <= TOLERANCE:
                    raise ExportError(
                        f"{form} differs from the trained network in {name!r} by {difference:.2g} "
                        f"at batch size {size}, allowed are {TOLERANCE:g}: is an operation "
                        "exported wrongly? (The exporter takes `x + 1e-8` for `x`: clamp instead)"
                    )
                largest = max(largest, difference)
    return largest


def _units(served: ServedNetwork | BarNetwork) -> dict[str, FloatArray]:
    """What differences are counted in, by output; features in their own scale."""
    readout = served.network.readout
    scale = readout.get_buffer("scale").numpy()
    units = {spec.name: np.asarray(scale[place]) for place, spec in enumerate(readout.specs)}
    if isinstance(served, BarNetwork):
        units[FEATURES] = served.network.get_buffer("scale").numpy()
    return units


def _onnx_form(
    graph: bytes, given: InputSpec, specs: Sequence[OutputSpec], *, takes_bars: bool
) -> Callable[[FloatArray], list[FloatArray]]:
    model = OnnxModel(graph, (given,), specs)

    def answer(examples: FloatArray) -> list[FloatArray]:
        found = model.by_output({given.name: examples})
        names = [*(spec.name for spec in specs), *([FEATURES] if takes_bars else [])]
        return [found[name] for name in names]

    return answer


def write_weights(network: Network) -> bytes:
    """Return the core's weights, and what else it answers with, as safetensors."""
    state = {name: value.detach().contiguous() for name, value in network.core.state_dict().items()}
    return bytes(safetensors.torch.save(state))


def read_weights(data: bytes) -> Mapping[str, torch.Tensor]:
    """Return the weights that `write_weights` wrote; nothing is run to read them.

    Raises
    ------
    ExportError
        If they cannot be read.
    """
    try:
        weights: dict[str, torch.Tensor] = safetensors.torch.load(data)
    except safetensors.SafetensorError as error:
        raise ExportError(f"weights.safetensors: {error}") from error
    return weights


def write_onnx(
    network: nn.Module, example: FloatArray, given: str, outputs: Sequence[str]
) -> bytes:
    """Return a network as ONNX, batch size dynamic; ``example`` is two windows or more."""
    with _quiet():
        program = torch.onnx.export(
            network,
            (torch.from_numpy(example),),
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=[given],
            output_names=list(outputs),
            dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
        )
    model = program.model_proto
    # The exporter writes down where in the source each node came from: paths of this machine.
    for node in model.graph.node:
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        value.ClearField("metadata_props")
    model.graph.ClearField("metadata_props")
    model.ClearField("metadata_props")
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def write_torchscript(network: nn.Module, example: FloatArray) -> bytes:
    """Return a network as TorchScript, traced on the example; the batch size stays dynamic."""
    buffer = io.BytesIO()
    with _quiet(), torch.no_grad():
        traced = torch.jit.trace(network, (torch.from_numpy(example),), check_trace=False)
        torch.jit.save(traced, buffer)
    return buffer.getvalue()


def _torchscript_form(model: bytes) -> Callable[[FloatArray], list[FloatArray]]:
    with _quiet():
        scripted = torch.jit.load(io.BytesIO(model))

    def answer(windows: FloatArray) -> list[FloatArray]:
        with torch.inference_mode():
            return [np.asarray(each.numpy()) for each in scripted(torch.from_numpy(windows))]

    return answer


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporters' own warnings; what they made is checked afterwards."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logger = logging.getLogger("torch.onnx")
        level = logger.level
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)
