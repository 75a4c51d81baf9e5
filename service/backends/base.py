"""What every backend promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal, TypeAlias

from plumbline.bundle.array import FloatArray
from plumbline.bundle.errors import BundleError
from plumbline.bundle.manifest import Manifest
from plumbline.service.backends import BACKENDS

Device: TypeAlias = Literal["auto", "cpu", "cuda"]


class BackendError(BundleError):
    """The runtime refused the graph, or the device is not there."""


class Backend(ABC):
    """A loaded graph: windows to raw logits.

    Parameters
    ----------
    graph
        Bytes of the file ``FILE`` of a bundle, already checked against the manifest's digest.
    manifest
        What the graph must accept and give.
    device
        Where to run.

    Raises
    ------
    BackendError
        If the graph cannot be loaded; the message names the file.
    """

    FILE: ClassVar[str]

    @abstractmethod
    def __init__(self, graph: bytes, manifest: Manifest, device: Device) -> None: ...

    @property
    @abstractmethod
    def device(self) -> str:
        """Where it runs: ``cpu`` or ``cuda``."""

    @abstractmethod
    def run(self, windows: FloatArray) -> FloatArray:
        """Return raw logits ``(n, k) float32`` of windows ``(n, t, f) float32``, oldest step first.

        Rows do not influence each other. Non-finite outputs are returned as they are.
        """


def backend_class(name: str) -> type[Backend]:
    """Import the backend of this name."""
    return BACKENDS[name]
