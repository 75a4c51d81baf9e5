"""The monitor's own session of a version's graph: what should have been answered.

It shares nothing with the service: another process, its own runtime, the bundle's file as it was
sealed. Before it is asked about live rows it must reproduce the golden rows; where it does not, or
where this machine cannot run the graph, nothing is said of any answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import structlog

from plumbline.bundle.archive import Bundle
from plumbline.bundle.array import FloatArray
from plumbline.bundle.inputs import with_constants

BATCH = 64
"""Rows the graph gets at once; a cross-section is one batch, whatever its size."""

GRAPH = "model.onnx"

log = structlog.get_logger()


class Graph:
    """A bundle's graph, run on one thread of the processor; opened when it is first asked.

    Parameters
    ----------
    bundle
        Whose ``model.onnx`` it is.

    Attributes
    ----------
    fault
        Why it cannot be asked; empty while it can, or has not been asked yet.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._manifest = bundle.manifest
        self._session: Any = None
        self._rowwise = bundle.manifest.unit == "row"
        self.fault = ""

    @property
    def runs(self) -> bool:
        """Whether it can be asked here: it loads, and gives the golden rows."""
        if self._session is None and not self.fault:
            self._open()
        return not self.fault

    @property
    def rowwise(self) -> bool:
        """Whether an answer depends on its own row alone, of a cross-section too."""
        return self.runs and self._rowwise

    def answer(self, inputs: Mapping[str, FloatArray]) -> FloatArray | None:
        """Return the raw numbers of all outputs, ``(n, Σ members · width) float32``.

        Parameters
        ----------
        inputs
            By name, without the bundle's own, ``(n, *shape)``, n ≥ 1. Of a model of
            cross-sections: one of them.

        Returns
        -------
        None where the graph cannot be run here; `fault` says why.
        """
        if not self.runs:
            return None
        rows = len(next(iter(inputs.values())))
        step = BATCH if self._rowwise else rows
        try:
            parts = [
                self._run({name: each[i : i + step] for name, each in inputs.items()})
                for i in range(0, rows, step)
            ]
        except Exception as error:  # noqa: BLE001 -- the runtime has no root of its errors
            self._give_up(f"cannot answer {rows} rows: {error}")
            return None
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _run(self, inputs: Mapping[str, FloatArray]) -> FloatArray:
        specs = self._manifest.inputs
        rows = len(next(iter(inputs.values())))
        whole = with_constants(specs, inputs, rows)
        ready = {spec.name: np.ascontiguousarray(whole[spec.name], spec.dtype) for spec in specs}
        found = self._session.run([spec.name for spec in self._manifest.outputs], ready)
        parts = [np.asarray(each, np.float32).reshape(rows, -1) for each in found]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def _open(self) -> None:
        try:
            import onnxruntime  # noqa: PLC0415 -- a monitor without it judges by statistics alone

            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
            options.log_severity_level = 3
            self._session = onnxruntime.InferenceSession(
                self._bundle.files[GRAPH], options, providers=["CPUExecutionProvider"]
            )
            off = self._golden_error()
        except Exception as error:  # noqa: BLE001 -- the runtime has no root of its errors
            self._give_up(f"cannot be run: {error}")
            return
        if not off <= self._manifest.tolerance:
            self._give_up(f"differs from its golden rows by {off:.2g} here")
        elif not self._rowwise:
            self._rowwise = self._answers_halves_alike()

    def _golden_error(self) -> float:
        """Return the largest difference of the golden rows in units; infinite for not finite."""
        golden = self._bundle.golden
        pieces = [np.arange(len(golden))]
        if self._manifest.unit == "cross_section":
            pieces = [np.flatnonzero(golden.group == name) for name in np.unique(golden.group)]
        raw = np.empty((len(golden), self._manifest.raw_width), np.float32)
        for rows in pieces:
            raw[rows] = self._run({name: each[rows] for name, each in golden.inputs.items()})
        slices = self._bundle.outputs.raw_slices
        return golden.largest_error({name: raw[:, part] for name, part in slices.items()})

    def _answers_halves_alike(self) -> bool:
        """Tell whether rows of golden cross-sections are answered alike without the others."""
        golden, seen = self._bundle.golden, False
        units = golden.units(spec.name for spec in self._manifest.outputs)
        for name in np.unique(golden.group):
            rows = np.flatnonzero(golden.group == name)
            whole = self._run({k: v[rows] for k, v in golden.inputs.items()})
            for part in (slice(0, len(rows) // 2), slice(len(rows) // 2, None)):
                if not 0 < len(rows[part]) < len(rows):
                    continue
                seen = True
                some = self._run({k: v[rows[part]] for k, v in golden.inputs.items()})
                apart = np.abs(np.subtract(some, whole[part], dtype=np.float64))
                if not (apart <= self._manifest.tolerance * units).all():
                    return False
        return seen

    def _give_up(self, reason: str) -> None:
        self.fault = f"{GRAPH} {reason}"
        log.warning("graph_not_replayed", version=self._bundle.version, reason=self.fault)
