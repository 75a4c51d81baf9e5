"""ONNX Runtime: the default backend, and the one place of the service that knows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime as ort
from typing_extensions import override

from plumbline.bundle.array import FloatArray
from plumbline.bundle.inputs import with_constants
from plumbline.bundle.manifest import Manifest
from plumbline.bundle.spec import FEATURES, InputSpec
from plumbline.service.backends.base import Backend, BackendError, Device, Ran, beside

_CPU = "CPUExecutionProvider"
_CUDA = "CUDAExecutionProvider"
_KINDS = {"float32": "tensor(float)", "float64": "tensor(double)"}


class OnnxBackend(Backend):
    """One session with one thread: two workers do more than one session with two threads.

    Waiting threads do not spin, which would take the core from the event loop.
    """

    FILE = "model.onnx"

    @override
    def __init__(self, graph: bytes, manifest: Manifest, device: Device) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session: Any = ort.InferenceSession(graph, options, providers=_providers(device))
        except Exception as error:
            raise BackendError(f"{self.FILE}: onnxruntime refused it: {error}") from error
        if device == "cuda" and self.device != "cuda":
            raise BackendError(f"{self.FILE}: CUDA could not be started for it; see the log")
        self._inputs, self._outputs = manifest.inputs, manifest.outputs
        self._constant = any(spec.source == "bundle" for spec in manifest.inputs)
        self._names = [spec.name for spec in manifest.outputs]
        self._features = any(spec.source == "bars" for spec in manifest.inputs)
        if self._features:
            self._names.append(FEATURES)
        _check_inputs(self._session.get_inputs(), manifest.inputs)
        _check_outputs(self._session.get_outputs(), self._names)

    @property
    @override
    def device(self) -> str:
        return "cuda" if _CUDA in self._session.get_providers() else "cpu"

    @override
    def run(self, inputs: Mapping[str, FloatArray]) -> Ran:
        rows = len(next(iter(inputs.values())))
        given = with_constants(self._inputs, inputs, rows) if self._constant else inputs
        found = self._session.run(self._names, given)
        features = np.asarray(found.pop(), np.float32) if self._features else None
        return Ran(beside(found, self._outputs, rows), features)


def _providers(device: Device) -> list[str]:
    available = ort.get_available_providers()
    if device == "cuda" and _CUDA not in available:
        raise BackendError(
            "device cuda was asked for, but this onnxruntime has none: install onnxruntime-gpu "
            "or set PLUMBLINE_SERVICE_DEVICE=cpu"
        )
    return [_CUDA, _CPU] if device != "cpu" and _CUDA in available else [_CPU]


def _check_inputs(found: list[Any], specs: Sequence[InputSpec]) -> None:
    """Refuse a graph whose inputs are not the manifest's; symbolic dimensions fit anything."""
    names = sorted(each.name for each in found)
    if names != sorted(spec.name for spec in specs):
        raise BackendError(
            f"model.onnx: expected the inputs {[spec.name for spec in specs]}, found {names}"
        )
    by_name = {each.name: each for each in found}
    for spec in specs:
        shape, expected = by_name[spec.name].shape, ["batch", *spec.shape]
        fits = len(shape) == len(expected) and not isinstance(shape[0], int)
        if not fits or any(
            isinstance(f, int) and f != e for f, e in zip(shape, expected, strict=True)
        ):
            raise BackendError(f"model.onnx: input {spec.name}: expected {expected}, found {shape}")
        kind = _KINDS[spec.dtype]
        if by_name[spec.name].type != kind:
            raise BackendError(
                f"model.onnx: input {spec.name}: expected {kind}, found {by_name[spec.name].type}"
            )


def _check_outputs(found: list[Any], names: Sequence[str]) -> None:
    missing = sorted(set(names) - {each.name for each in found})
    if missing:
        raise BackendError(f"model.onnx: expected the outputs {list(names)}, there is no {missing}")
