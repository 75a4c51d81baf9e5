"""A backend that goes wrong on command; only `drills/rogue.py` starts a service with it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from typing_extensions import override

from plumbline.bundle.array import FloatArray
from plumbline.bundle.manifest import Manifest
from plumbline.service.backends import BACKENDS
from plumbline.service.backends.base import Device, Ran
from plumbline.service.backends.onnx import OnnxBackend


@BACKENDS.register("rogue")
class RogueBackend(OnnxBackend):
    """Answers as it should until its flag is set: then another graph, or noise, answers."""

    name = "rogue"

    @override
    def __init__(self, graph: bytes, manifest: Manifest, device: Device) -> None:
        super().__init__(graph, manifest, device)
        self._flag = Path(os.environ["PLUMBLINE_ROGUE_FLAG"])
        path = os.environ["PLUMBLINE_ROGUE_GRAPH"]
        other = Path(path).read_bytes() if path else None
        self._other = None if other is None else OnnxBackend(other, manifest, device)
        self._rng = np.random.default_rng(0)
        self._past: FloatArray = np.empty((0, manifest.raw_width), np.float32)

    @override
    def run(self, inputs: Mapping[str, FloatArray]) -> Ran:
        found = super().run(inputs)
        if not self._flag.exists():
            self._past = np.concatenate([self._past, found.raw])[-500:]
            return found
        if self._other is not None:
            return Ran(self._other.run(inputs).raw, found.features)
        drawn = self._past[self._rng.integers(0, len(self._past), len(found.raw))]
        return Ran(drawn, found.features)
