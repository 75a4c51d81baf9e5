"""ONNX Runtime: the default backend, and the one place of the service that knows it."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime as ort
from typing_extensions import override

from plumbline.bundle.array import FloatArray
from plumbline.bundle.manifest import Manifest
from plumbline.service.backends.base import Backend, BackendError, Device

_CPU = "CPUExecutionProvider"
_CUDA = "CUDAExecutionProvider"


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
        self._input = _only(self._session.get_inputs(), "input")
        self._output = _only(self._session.get_outputs(), "output")
        _check_shape(self._session.get_inputs()[0].shape, manifest)

    @property
    @override
    def device(self) -> str:
        return "cuda" if _CUDA in self._session.get_providers() else "cpu"

    @override
    def run(self, windows: FloatArray) -> FloatArray:
        logits: FloatArray = self._session.run([self._output], {self._input: windows})[0]
        return np.asarray(logits, np.float32)


def _providers(device: Device) -> list[str]:
    available = ort.get_available_providers()
    if device == "cuda" and _CUDA not in available:
        raise BackendError(
            "device cuda was asked for, but this onnxruntime has none: install onnxruntime-gpu "
            "or set PLUMBLINE_SERVICE_DEVICE=cpu"
        )
    return [_CUDA, _CPU] if device != "cpu" and _CUDA in available else [_CPU]


def _only(values: list[Any], kind: str) -> str:
    if len(values) != 1:
        raise BackendError(f"model.onnx: expected one {kind}, found {[v.name for v in values]}")
    name: str = values[0].name
    return name


def _check_shape(found: list[Any], manifest: Manifest) -> None:
    """Refuse a graph whose fixed dimensions are not the manifest's; symbolic ones fit anything."""
    expected = ["batch", manifest.window_length, len(manifest.features.names)]
    fits = len(found) == 3 and not isinstance(found[0], int)
    if not fits or any(isinstance(f, int) and f != e for f, e in zip(found, expected, strict=True)):
        raise BackendError(f"model.onnx: expected an input of {expected}, found {found}")
