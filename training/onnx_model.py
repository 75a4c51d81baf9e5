"""An exported model, run as the service will run it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime

from plumbline.bundle.array import FloatArray
from plumbline.bundle.inputs import with_constants
from plumbline.bundle.spec import InputSpec, OutputSpec


class OnnxModel:
    """Named inputs in, raw numbers out.

    Parameters
    ----------
    graph
        ONNX.
    inputs, outputs
        As the manifest has them.
    """

    def __init__(
        self, graph: bytes, inputs: Sequence[InputSpec], outputs: Sequence[OutputSpec]
    ) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self._session: Any = onnxruntime.InferenceSession(
            graph, options, providers=["CPUExecutionProvider"]
        )
        self._inputs = tuple(inputs)
        self._outputs = tuple(outputs)
        self._names = [each.name for each in self._session.get_outputs()]

    def by_output(self, inputs: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        """Return every output of the graph, ``(n, numbers) float32``."""
        rows = len(next(iter(inputs.values())))
        given = with_constants(self._inputs, inputs, rows)
        ready = {spec.name: np.asarray(given[spec.name], spec.dtype) for spec in self._inputs}
        found = self._session.run(self._names, ready)
        return {
            name: np.asarray(each, np.float32).reshape(rows, -1)
            for name, each in zip(self._names, found, strict=True)
        }

    def __call__(self, inputs: Mapping[str, FloatArray]) -> FloatArray:
        """Return the raw numbers of all outputs beside each other, ``(n, Σ members · width)``."""
        found = self.by_output(inputs)
        return np.concatenate([found[spec.name] for spec in self._outputs], axis=1)
