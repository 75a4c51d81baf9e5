"""What was really served: sampled inputs of the prediction log, for a candidate to face."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from plumbline.bundle.array import FloatArray
from plumbline.bundle.errors import FormatError
from plumbline.bundle.inputs import parse_inputs
from plumbline.bundle.spec import InputSpec
from plumbline.store.log import PredictionLog
from plumbline.store.objects import Objects
from plumbline.store.prediction import PredictionBatch

WINDOWS = 400
"""Rows a candidate is asked about, at most."""


@dataclass(frozen=True)
class Stretch:
    """A stretch of the log, by the time of the answers; None is open."""

    since: datetime | None
    until: datetime | None


@dataclass(frozen=True)
class LiveRows:
    """Rows of the log with their whole inputs, oldest first.

    Attributes
    ----------
    rows
        As logged.
    inputs
        By name, ``(m, *shape)``.
    specs
        Of the inputs.
    """

    rows: PredictionBatch
    inputs: Mapping[str, FloatArray]
    specs: tuple[InputSpec, ...]

    @property
    def steps(self) -> FloatArray:
        """Every step of the watched columns: ``(m, t, f)``; of raw bars the last one alone."""
        windows = [
            self.inputs[spec.name] if len(spec.shape) > 1 else self.inputs[spec.name][:, None]
            for spec in self.specs
            if spec.source == "features"
        ]
        if not windows or len({window.shape[1] for window in windows}) > 1:
            return self.rows.features[:, None]
        return np.concatenate(windows, axis=2)


def read_live(
    objects: Objects, model: str, stretch: Stretch, *, specs: Sequence[InputSpec]
) -> LiveRows | None:
    """Read inputs spread over a stretch of the log.

    Parameters
    ----------
    objects, model, stretch
        Whose log, and which part of it.
    specs
        Of the inputs wanted.

    Returns
    -------
    LiveRows, or None if there are no inputs of that shape

    Raises
    ------
    StoreError
        If the log cannot be read.
    """
    rows, windows = PredictionLog(objects, model).windows(
        WINDOWS, start=stretch.since, end=stretch.until
    )
    try:
        return LiveRows(rows, parse_inputs(specs, windows), tuple(specs)) if len(rows) else None
    except FormatError:
        return None
