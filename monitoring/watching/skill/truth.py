"""What an outcome says came true, in the terms of the output it is of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite, nan

import numpy as np

from plumbline.bundle.manifest import LabelSpec
from plumbline.bundle.spec import OutputSpec


class TruthReader:
    """Turns the label and the value of an outcome into a truth of one output.

    A choice that came without its label is worked out from the value, a return, where the label of
    the training says how: by a threshold, or by the edges of bands.

    Parameters
    ----------
    spec, label
        Of the output, and what the truth meant in training.
    """

    def __init__(self, spec: OutputSpec, label: LabelSpec) -> None:
        self._choices = {name: float(place) for place, name in enumerate(spec.choices)}
        self._is_choice = spec.kind == "choice"
        self._place = _placing(label, len(spec.choices)) if self._is_choice else None

    def __call__(self, label: str, value: float) -> float:
        """Return a choice's place, or the value; NaN where the outcome does not say."""
        if not self._is_choice:
            return value if isfinite(value) else nan
        if label:
            return self._choices.get(label, nan)
        if self._place is None or not isfinite(value):
            return nan
        return self._place(value)


def _placing(label: LabelSpec, choices: int) -> Callable[[float], float] | None:
    """Return how a return becomes a place; None where the manifest does not say."""
    threshold, edges = label.parameters.get("threshold"), label.parameters.get("edges")
    if label.kind == "forward_return" and isinstance(threshold, int | float) and choices == 3:
        limit = float(threshold)
        return lambda value: 1.0 + (value > limit) - (value < -limit)
    if label.kind == "return_bands" and isinstance(edges, Sequence) and len(edges) == choices - 1:
        borders = np.asarray(edges, np.float64)
        return lambda value: float(np.searchsorted(borders, value, side="right"))
    return None
