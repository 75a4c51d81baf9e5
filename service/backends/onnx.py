"""ONNX Runtime: the default backend, and the one place of the service that knows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import onnxruntime as ort
from typing_extensions import override

from plumbline.bundle.array import FloatArray
from plumbline.bundle.inputs import with_constants
from plumbline.bundle.manifest import Manifest
from plumbline.bundle.spec import FEATURES, InputSpec, OutputSpec
from plumbline.service.backends.base import Backend, BackendError, Device, Ran, beside, watched

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
        self._manifest = manifest
        self._constant = any(spec.source == "bundle" for spec in manifest.inputs)
        self._names = [spec.name for spec in manifest.outputs]
        self._features = any(spec.source == "bars" for spec in manifest.inputs)
        if self._features:
            self._names.append(FEATURES)
        _check_inputs(self._session.get_inputs(), manifest.inputs)
        _check_outputs(self._session.get_outputs(), self._names, manifest.outputs)

    @property
    @override
    def device(self) -> str:
        return "cuda" if _CUDA in self._session.get_providers() else "cpu"

    @override
    def run(self, inputs: Mapping[str, FloatArray]) -> Ran:
        rows = len(next(iter(inputs.values())))
        manifest = self._manifest
        given = with_constants(manifest.inputs, inputs, rows) if self._constant else inputs
        found = self._session.run(self._names, given)
        features = watched(found.pop(), manifest, rows) if self._features else None
        return Ran(beside(found, manifest.outputs, rows), features)


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
        if shape and isinstance(shape[0], int):
            raise BackendError(
                f"model.onnx: input {spec.name}: its batch is fixed at {shape[0]}: export it with "
                "a batch of any size (dynamic_shapes, dynamic_axes), or let plumbline pack open it"
            )
        if len(shape) != len(expected) or _differs(shape[1:], spec.shape):
            raise BackendError(f"model.onnx: input {spec.name}: expected {expected}, found {shape}")
        kind = _KINDS[spec.dtype]
        if by_name[spec.name].type != kind:
            raise BackendError(
                f"model.onnx: input {spec.name}: expected {kind}, found {by_name[spec.name].type}"
            )


def _check_outputs(found: list[Any], names: Sequence[str], specs: Sequence[OutputSpec]) -> None:
    """Refuse a graph that lacks an output; what else it gives is not asked for."""
    by_name = {each.name: each for each in found}
    missing = sorted(set(names) - set(by_name))
    if missing:
        raise BackendError(f"model.onnx: expected the outputs {list(names)}, there is no {missing}")
    for spec in specs:
        shape, kind = by_name[spec.name].shape[1:], by_name[spec.name].type
        fits = [(spec.numbers,), (spec.members, spec.width)]
        if shape and all(len(shape) != len(fit) or _differs(shape, fit) for fit in fits):
            raise BackendError(
                f"model.onnx: output {spec.name}: expected a row of {' or '.join(map(str, fits))}, "
                f"found {tuple(shape)}"
            )
        if kind not in _KINDS.values():
            raise BackendError(
                f"model.onnx: output {spec.name}: expected {' or '.join(_KINDS.values())}, "
                f"found {kind}"
            )


def _differs(shape: Sequence[Any], expected: Sequence[int]) -> bool:
    """Whether a dimension that is fixed is another; symbolic ones fit anything."""
    return any(isinstance(f, int) and f != e for f, e in zip(shape, expected, strict=True))
