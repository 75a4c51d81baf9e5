"""What every backend promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

import numpy as np

from plumbline.bundle.array import FloatArray
from plumbline.bundle.errors import BundleError
from plumbline.bundle.manifest import Manifest
from plumbline.bundle.spec import FEATURES, OutputSpec
from plumbline.service.backends import BACKENDS

Device: TypeAlias = Literal["auto", "cpu", "cuda"]


class BackendError(BundleError):
    """The runtime refused the graph, or the device is not there."""


@dataclass(frozen=True)
class Ran:
    """What a graph gave for a batch.

    Attributes
    ----------
    raw : (n, Σ members · width) float32
        Every output beside the next, in the manifest's order. What is not finite stays so.
    features : (n, f) float32, or None
        Of a graph that takes bars: the columns of the last one.
    """

    raw: FloatArray
    features: FloatArray | None


class Backend(ABC):
    """A loaded graph: named inputs to raw numbers.

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
        If the graph cannot be loaded, or takes or gives other than the manifest says; the message
        names the file.
    """

    FILE: ClassVar[str]

    @abstractmethod
    def __init__(self, graph: bytes, manifest: Manifest, device: Device) -> None: ...

    @property
    @abstractmethod
    def device(self) -> str:
        """Where it runs: ``cpu`` or ``cuda``."""

    @abstractmethod
    def run(self, inputs: Mapping[str, FloatArray]) -> Ran:
        """Ask the graph.

        Parameters
        ----------
        inputs
            By name, ``(n, *shape)`` in the manifest's dtype; the bundle's own may be left out. Rows
            do not influence each other, unless the unit is a cross-section.
        """


def beside(found: Sequence[FloatArray], outputs: Sequence[OutputSpec], rows: int) -> FloatArray:
    """Lay a graph's outputs beside each other: ``(n, Σ members · width) float32``.

    Raises
    ------
    BackendError
        If one is of another shape than its specification: numbers in another order would pass for
        other members' or other rows'.
    """
    parts = []
    for spec, values in zip(outputs, found, strict=True):
        shape = values.shape
        if shape != (rows, spec.numbers) and shape != (rows, spec.members, spec.width):  # noqa: PLR1714 -- half the time
            raise BackendError(
                f"output {spec.name}: expected ({rows}, {spec.numbers}) or "
                f"({rows}, {spec.members}, {spec.width}) for {rows} rows, found {shape}"
            )
        parts.append(np.asarray(values, np.float32).reshape(rows, spec.numbers))
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def watched(values: FloatArray, manifest: Manifest, rows: int) -> FloatArray:
    """Return the columns that a graph has computed from bars: ``(n, f) float32``.

    Raises
    ------
    BackendError
        If there are more or fewer than the manifest names.
    """
    expected = (rows, len(manifest.feature_names))
    if np.shape(values) != expected:
        raise BackendError(f"output {FEATURES}: expected {expected}, found {np.shape(values)}")
    return np.asarray(values, np.float32)


def backend_class(name: str) -> type[Backend]:
    """Import the backend of this name."""
    return BACKENDS[name]
