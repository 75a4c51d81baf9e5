"""The contract of backends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from plumbline.bundle.archive import Bundle
from plumbline.bundle.array import FloatArray
from plumbline.service.backends.base import Backend, BackendError
from plumbline.testing.contract import ContractError, hold, require, require_kind


def check_backend(kind: type[Backend], bundle: Bundle) -> None:
    """Hold a backend to everything it promises.

    Parameters
    ----------
    kind
        The class.
    bundle
        One that has the file it runs, and golden rows.

    Raises
    ------
    ContractError
        With the first promise that is broken.
    """
    require_kind(kind, Backend)
    hold(kind.__qualname__, _PROMISES, _Subject(kind, bundle))


@dataclass(frozen=True)
class _Subject:
    kind: type[Backend]
    bundle: Bundle

    def load(self) -> Backend:
        return self.kind(self.bundle.files[self.kind.FILE], self.bundle.manifest, "cpu")


def _passes_the_golden_rows(subject: _Subject) -> None:
    """The golden rows come out within the manifest's tolerance, float32, at any batch size."""
    golden, backend = subject.bundle.golden, subject.load()
    require(backend.device == "cpu", f"asked for cpu, it runs on {backend.device}")
    outputs = subject.bundle.manifest.outputs
    whole = np.concatenate([golden.outputs[spec.name] for spec in outputs], axis=1)
    units = golden.units(spec.name for spec in outputs)
    for n in _sizes(subject):
        raw = backend.run(_rows(golden.inputs, n)).raw
        form, expected = (raw.shape, raw.dtype), (whole[:n].shape, np.dtype(np.float32))
        require(form == expected, f"{n} rows give {form}, expected {expected}")
        apart = float((np.abs(raw - whole[:n]) / units).max())
        require(
            apart <= subject.bundle.manifest.tolerance,
            f"{n} golden rows differ by {apart:.2g}, more than the manifest's tolerance",
        )


def _keeps_rows_apart(subject: _Subject) -> None:
    """Rows do not influence each other, not even one of NaN; what is not finite stays so."""
    if subject.bundle.manifest.unit == "cross_section":
        return
    inputs, backend = subject.bundle.golden.inputs, subject.load()
    poisoned = {name: array.copy() for name, array in inputs.items()}
    for array in poisoned.values():
        array[0] = np.nan
    clean, dirty = backend.run(inputs).raw, backend.run(poisoned).raw
    require(np.allclose(dirty[1:], clean[1:], atol=1e-5), "a row of NaN changes its neighbours")
    require(np.isnan(dirty[0]).all(), "a row of NaN gets a finite answer")


def _refuses_nonsense(subject: _Subject) -> None:
    """Bytes that are no graph are refused with the file's name."""
    try:
        subject.kind(b"not a graph at all", subject.bundle.manifest, "cpu")
    except BackendError as error:
        require(subject.kind.FILE in str(error), f"{error!r} does not name {subject.kind.FILE}")
        return
    raise ContractError("it loads bytes that are no graph")


def _sizes(subject: _Subject) -> list[int]:
    """Return the batch sizes to try; a cross-section is never split."""
    whole = len(subject.bundle.golden)
    return [whole] if subject.bundle.manifest.unit == "cross_section" else sorted({1, 2, whole})


def _rows(inputs: Mapping[str, FloatArray], n: int) -> dict[str, FloatArray]:
    return {name: array[:n] for name, array in inputs.items()}


_PROMISES = (_passes_the_golden_rows, _keeps_rows_apart, _refuses_nonsense)
