"""Backends: what runs a bundle's graph. A new one is one file and one line here.

The modules are named, not imported: torch is loaded only where its backend was chosen.
"""

BACKENDS = {
    "onnx": "plumbline.service.backends.onnx:OnnxBackend",
    "torchscript": "plumbline.service.backends.torchscript:TorchScriptBackend",
}
