"""Calibration: every output's by its own head, on rows the weights have not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from plumbline.bundle.array import FloatArray
from plumbline.bundle.calibration import Calibration
from plumbline.bundle.heads import build_head
from plumbline.bundle.spec import OutputSpec
from plumbline.training.errors import TrainingError


def fit_calibrations(
    specs: Sequence[OutputSpec],
    raw: FloatArray,
    truth: FloatArray,
    group: np.ndarray | None = None,
    corrections: Mapping[str, tuple[float, ...] | None] | None = None,
) -> dict[str, Calibration]:
    """Fit the calibration of each output.

    Parameters
    ----------
    specs
        The outputs in order.
    raw : (n, Σ members · width) floating
        Of held-out rows in their natural proportions.
    truth : (n, outputs) floating
        NaN where it is not known.
    group : (n,) or None
        Which rows are one cross-section.
    corrections
        What the loss left out of the raw numbers, by output.

    Raises
    ------
    TrainingError
        If an output has no truth, or raw numbers are not finite.
    """
    fitted, begin = {}, 0
    for place, spec in enumerate(specs):
        own = raw[:, begin : begin + spec.numbers].reshape(len(raw), spec.members, spec.width)
        begin += spec.numbers
        correction = None if corrections is None else corrections.get(spec.name)
        try:
            fitted[spec.name] = build_head(spec).fit(
                own, truth[:, place], group, correction=correction
            )
        except ValueError as error:
            raise TrainingError(f"output {spec.name}: {error}") from error
    return fitted
