"""Export: the trained network as ONNX and TorchScript, held against the network itself."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn

from plumbline.bundle.array import FloatArray
from plumbline.training.errors import ExportError
from plumbline.training.network import BarNetwork

OPSET: Final = 20
TOLERANCE: Final = 1e-4
"""Largest absolute difference of logits between the exported and the trained network."""

INPUT, OUTPUT = "features", "logits"
BARS = "bars"
"""Input of a graph that computes its features itself; those of the last bar come out, too."""


@dataclass(frozen=True)
class Exported:
    """One network in two forms; a bundle that only has the first is whole, too."""

    onnx: bytes
    torchscript: bytes | None
    opset: int


def export_network(network: nn.Module, windows: FloatArray) -> Exported:
    """Export a network and check that both forms say what it says.

    Parameters
    ----------
    network
        Raw windows ``(b, t, f)`` to logits ``(b, k)``, in evaluation mode.
    windows : (m, t, f) float32
        Real windows to compare on, at least two; the batch stays dynamic.

    Raises
    ------
    ExportError
        If a form differs by more than `TOLERANCE` at some batch size.
    """
    network.eval()
    example = windows[:2]
    exported = Exported(write_onnx(network, example), write_torchscript(network, example), OPSET)
    check_parity(network, exported, windows)
    return exported


def export_bar_network(network: BarNetwork, bars: FloatArray) -> Exported:
    """Export a network with its feature set as ONNX, and check that it says what the network says.

    There is no TorchScript form: the feature set is code of ours or of a stranger, and the graph
    that is served should be data.

    Parameters
    ----------
    network
        In evaluation mode.
    bars : (m, bars_needed, 6) float64
        Real bars to compare on, at least two windows; the batch stays dynamic.

    Raises
    ------
    ExportError
        If logits differ by more than `TOLERANCE`, or a feature by more than `TOLERANCE` of its
        scale, at some batch size; the message names it.
    """
    network.eval()
    exported = write_onnx(network, bars[:2], BARS, (OUTPUT, INPUT))
    answer = OnnxModel(exported)
    scale = network.network.scale.numpy()
    names = network.feature_set.names
    for size in sorted({1, 2, 3, len(bars)}):
        with torch.inference_mode():
            expected = [each.numpy() for each in network(torch.from_numpy(bars[:size]))]
        logits, features = answer.all_outputs(bars[:size])
        apart = np.abs(features - expected[1]).max(axis=0) / scale
        found = dict(zip(names, apart.tolist(), strict=True))
        found["logits"] = float(np.abs(logits - expected[0]).max())
        wrong = {name: each for name, each in found.items() if not each <= TOLERANCE}
        if wrong:
            name = max(wrong, key=lambda each: wrong[each])
            raise ExportError(
                f"ONNX differs from the network in {name!r} by {wrong[name]:.2g} at batch size "
                f"{size}, allowed are {TOLERANCE:g}: is an operation exported wrongly? (The "
                "exporter takes `x + 1e-8` for `x`: clamp instead)"
            )
    return Exported(exported, None, OPSET)


def check_parity(network: nn.Module, exported: Exported, windows: FloatArray) -> float:
    """Return the largest difference of either form to the network over several batch sizes.

    Raises
    ------
    ExportError
        If it exceeds `TOLERANCE`, naming form and batch size.
    """
    forms: dict[str, Callable[[FloatArray], FloatArray]] = {"ONNX": OnnxModel(exported.onnx)}
    if exported.torchscript is not None:
        forms["TorchScript"] = _torchscript_model(exported.torchscript)
    largest = 0.0
    for size in sorted({1, 2, 3, len(windows)}):
        batch = windows[:size]
        with torch.inference_mode():
            expected = network(torch.from_numpy(batch)).numpy()
        for form, answer in forms.items():
            difference = float(np.abs(answer(batch) - expected).max())
            if not difference <= TOLERANCE:
                raise ExportError(
                    f"{form} differs from the trained network by {difference:.2g} at batch size "
                    f"{size}, allowed are {TOLERANCE:g}: is an operation exported wrongly?"
                )
            largest = max(largest, difference)
    return largest


class OnnxModel:
    """An exported model, run as the service will run it: raw windows or bars in, logits out."""

    def __init__(self, model: bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )
        (given,) = self._session.get_inputs()
        self._input = given.name
        self._dtype = np.float64 if given.type == "tensor(double)" else np.float32

    def __call__(self, windows: FloatArray) -> FloatArray:
        """Return the logits ``(b, k) float32`` of windows ``(b, t, f)`` or bars ``(b, n, 6)``."""
        given = {self._input: np.asarray(windows, dtype=self._dtype)}
        (logits,) = self._session.run([OUTPUT], given)
        return np.asarray(logits)

    def all_outputs(self, windows: FloatArray) -> list[FloatArray]:
        """Return every output in the graph's order."""
        given = {self._input: np.asarray(windows, dtype=self._dtype)}
        return [np.asarray(each) for each in self._session.run(None, given)]


def read_torchscript_weights(model: bytes) -> dict[str, torch.Tensor]:
    """Return the trained weights of the core inside a TorchScript file.

    TorchScript is code: give only bytes that were checked against their bundle's digest.
    """
    with _quiet():
        core = torch.jit.load(io.BytesIO(model)).core
    return {name: value.detach() for name, value in core.named_parameters()}


def write_onnx(
    network: nn.Module,
    example: FloatArray,
    given: str = INPUT,
    outputs: Sequence[str] = (OUTPUT,),
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


def _torchscript_model(model: bytes) -> Callable[[FloatArray], FloatArray]:
    with _quiet():
        scripted = torch.jit.load(io.BytesIO(model))

    def answer(windows: FloatArray) -> FloatArray:
        with torch.inference_mode():
            return np.asarray(scripted(torch.from_numpy(windows)).numpy())

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
