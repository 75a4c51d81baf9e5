"""Backends: what runs a bundle's graph. One of ours is one file and one line here.

The modules are named, not imported: torch is loaded only where its backend was chosen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from plumbline.bundle.plugin import Plugins

if TYPE_CHECKING:
    from plumbline.service.backends.base import Backend

BACKENDS: Plugins[Backend] = Plugins(
    "backends",
    "plumbline.service.backends.base:Backend",
    {
        "onnx": "plumbline.service.backends.onnx:OnnxBackend",
        "torchscript": "plumbline.service.backends.torchscript:TorchScriptBackend",
    },
)
