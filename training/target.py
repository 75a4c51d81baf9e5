"""What the truth of one output is like in the rows a model learns from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from plumbline.bundle.array import FloatArray
from plumbline.bundle.spec import OutputSpec
from plumbline.training.errors import LabelError, TrainingError

_SMALLEST = 1e-12


@dataclass(frozen=True)
class Target:
    """One output, and what a loss and a fresh network must know of its truth.

    Attributes
    ----------
    spec
        With the width the loss asks for and the members the family has.
    prior
        Share of each choice; None for other kinds.
    centre, scale
        Mean and standard deviation of a value; 0 and 1 for other kinds.
    """

    spec: OutputSpec
    prior: tuple[float, ...] | None = None
    centre: float = 0.0
    scale: float = 1.0


def measure_targets(
    specs: Sequence[OutputSpec], truth: FloatArray, part: str
) -> tuple[Target, ...]:
    """Measure truths ``(n, outputs)`` of one part, refusing those that cannot teach.

    Raises
    ------
    TrainingError
        If there are no rows.
    LabelError
        If a choice never comes true, or a value never changes.
    """
    if not len(truth):
        raise TrainingError(
            f"no rows are left in the {part} part after warm-up, masks, purge and embargo: "
            "give more bars, or shorten the horizon, the window or the embargo"
        )
    return tuple(_measure(spec, truth[:, place], part) for place, spec in enumerate(specs))


def _measure(spec: OutputSpec, truth: FloatArray, part: str) -> Target:
    known = truth[np.isfinite(truth)]
    if not len(known):
        raise LabelError(f"the {part} part has no row whose {spec.name} is known")
    if spec.kind == "choice":
        counts = np.bincount(known.astype(np.int64), minlength=len(spec.choices))
        if not counts.all():
            said = ", ".join(f"{n} {c}" for n, c in zip(spec.choices, counts, strict=True))
            raise LabelError(
                f"the {part} part lacks a class ({said}): lower the label's threshold or give "
                "more bars"
            )
        return Target(spec, tuple((counts / counts.sum()).tolist()))
    scale = float(known.std())
    if scale < _SMALLEST:
        raise LabelError(f"the {part} part's {spec.name} never changes: check prices and horizon")
    if spec.kind == "value":
        return Target(spec, None, float(known.mean()), scale)
    return Target(spec)
