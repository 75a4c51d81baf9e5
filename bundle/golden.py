"""Golden rows: inputs with the outputs the exported model gave when it was made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from plumbline.bundle.array import FloatArray, read_named_arrays, write_arrays
from plumbline.bundle.errors import FormatError

_INPUT, _OUTPUT = "input.", "output."


def unit_of(numbers: FloatArray) -> float:
    """Return what differences of an output are counted in: 1, or less if all its numbers are.

    To returns of 1e-4 a tolerance of 1e-4 would be none.
    """
    return min(1.0, float(np.abs(numbers).max(initial=0.0)) or 1.0)


@dataclass(frozen=True)
class GoldenRows:
    """One array per input and per output, rows first.

    Attributes
    ----------
    inputs
        By name: ``(m, *shape)``.
    outputs
        By name: raw numbers ``(m, members · width) float32``.
    group : (m,) int64
        Which rows are one cross-section.
    """

    inputs: Mapping[str, FloatArray]
    outputs: Mapping[str, FloatArray]
    group: np.ndarray

    def __post_init__(self) -> None:
        for name, array in (*self.inputs.items(), *self.outputs.items()):
            if len(array) != len(self.group):
                raise FormatError(
                    f"golden: {name} has {len(array)} rows, expected {len(self.group)}"
                )
        if not self.inputs or not self.outputs:
            raise FormatError("golden: expected at least one input and one output")

    def __len__(self) -> int:
        return len(self.group)

    def units(self, names: Iterable[str]) -> FloatArray:
        """Return the unit of each raw number of these outputs beside each other."""
        outputs = [self.outputs[name] for name in names]
        return np.concatenate([np.full(each.shape[1], unit_of(each)) for each in outputs])

    def largest_error(self, outputs: Mapping[str, FloatArray]) -> float:
        """Return the largest difference in units; infinite for another shape or not finite."""
        worst = 0.0
        for name, expected in self.outputs.items():
            found = outputs.get(name)
            if found is None or found.shape != expected.shape or not np.isfinite(found).all():
                return float("inf")
            apart = float(np.abs(np.asarray(found, np.float64) - expected).max())
            worst = max(worst, apart / unit_of(expected))
        return worst

    def to_bytes(self) -> bytes:
        """Return the ``golden.npz`` form."""
        arrays = {f"{_INPUT}{name}": array for name, array in self.inputs.items()}
        arrays |= {f"{_OUTPUT}{name}": array for name, array in self.outputs.items()}
        return write_arrays({**arrays, "group": self.group})

    @classmethod
    def from_bytes(cls, data: bytes, *, source: str = "golden.npz") -> Self:
        """Read the ``golden.npz`` form; raises `FormatError`."""
        arrays = read_named_arrays(data, source=source)
        group = arrays.pop("group", None)
        strange = [name for name in arrays if not name.startswith((_INPUT, _OUTPUT))]
        if group is None or strange:
            raise FormatError(f"{source}: expected inputs, outputs and group, found {strange}")
        return cls(
            inputs={k[len(_INPUT) :]: v for k, v in arrays.items() if k.startswith(_INPUT)},
            outputs={k[len(_OUTPUT) :]: v for k, v in arrays.items() if k.startswith(_OUTPUT)},
            group=group,
        )
