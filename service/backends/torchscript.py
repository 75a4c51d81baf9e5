"""TorchScript: for graphs that ONNX cannot hold. The archive is code, so it is looked at first.

`torch.jit.load` runs the archive's ``__setstate__`` methods and inflates whatever it finds. Before
it sees a byte, the digest has been checked against the manifest, and here the archive's own
directory and sources are: no entry twice, nothing deflated but torch's own sources and those
within bounds, no method or operator that touches the outside.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import torch
from typing_extensions import override

from plumbline.bundle.array import FloatArray
from plumbline.bundle.inputs import with_constants
from plumbline.bundle.manifest import Manifest
from plumbline.bundle.spec import FEATURES
from plumbline.service.backends.base import Backend, BackendError, Device, Ran, beside, watched

_FORBIDDEN = re.compile(rb"__setstate__|torch\.save|from_file|aten::save|__torch__\.torch\.classes")
_MAX_CODE_BYTES = 16 * 2**20


class TorchScriptBackend(Backend):
    """A scripted or traced module in inference mode, with one thread."""

    FILE = "model.pt"

    @override
    def __init__(self, graph: bytes, manifest: Manifest, device: Device) -> None:
        _inspect(graph)
        if device == "cuda" and not torch.cuda.is_available():
            raise BackendError("device cuda was asked for, but torch finds none: set device to cpu")
        self._device = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
        torch.set_num_threads(1)
        try:
            module: Any = torch.jit.load(io.BytesIO(graph), map_location=self._device)
        except (RuntimeError, ValueError) as error:
            raise BackendError(f"{self.FILE}: torch refused it: {error}") from error
        self._module = module.eval()
        self._manifest = manifest
        self._features = any(spec.source == "bars" for spec in manifest.inputs)

    @property
    @override
    def device(self) -> str:
        return self._device

    @override
    def run(self, inputs: Mapping[str, FloatArray]) -> Ran:
        rows = len(next(iter(inputs.values())))
        manifest = self._manifest
        given = with_constants(manifest.inputs, inputs, rows)
        with torch.inference_mode():
            found = self._module(
                *(torch.from_numpy(given[spec.name]).to(self._device) for spec in manifest.inputs)
            )
        tensors = found if isinstance(found, tuple) else (found,)
        arrays = [each.cpu().numpy() for each in tensors]
        expected = [spec.name for spec in manifest.outputs] + [FEATURES] * self._features
        if len(arrays) != len(expected):
            raise BackendError(
                f"{self.FILE}: expected the outputs {expected} in this order, found {len(arrays)}"
            )
        features = watched(arrays.pop(), manifest, rows) if self._features else None
        return Ran(beside(arrays, manifest.outputs, rows), features)


def _inspect(graph: bytes) -> None:
    """Refuse an archive that could expand, or whose sources reach beyond tensors."""
    try:
        with zipfile.ZipFile(io.BytesIO(graph)) as archive:
            entries = archive.infolist()
            _check_directory(entries)
            for entry in entries:
                found = _FORBIDDEN.search(archive.read(entry)) if _is_code(entry) else None
                if found:
                    raise BackendError(f"model.pt: {entry.filename} uses {found[0].decode()}")
    except (zipfile.BadZipFile, zlib.error) as error:
        raise BackendError(f"model.pt: not a TorchScript archive: {error}") from error


def _check_directory(entries: list[zipfile.ZipInfo]) -> None:
    """Check names and sizes; torch deflates the sources it writes, and nothing else."""
    names = [entry.filename for entry in entries]
    if len(set(names)) != len(names):
        raise BackendError("model.pt: an entry is there twice")
    packed = [entry for entry in entries if entry.compress_type != zipfile.ZIP_STORED]
    foreign = [entry.filename for entry in packed if not _is_code(entry)]
    if foreign:
        raise BackendError(f"model.pt: expected stored entries beside the code, found {foreign}")
    size = sum(entry.file_size for entry in entries if _is_code(entry))
    if size > _MAX_CODE_BYTES:
        raise BackendError(f"model.pt: {size} bytes of code, expected at most {_MAX_CODE_BYTES}")


def _is_code(entry: zipfile.ZipInfo) -> bool:
    return "/code/" in entry.filename
