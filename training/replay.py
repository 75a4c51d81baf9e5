"""The held-out bars as one file, for those who replay them without knowing the training room."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from plumbline.bundle.array import FloatArray, IntArray, write_arrays
from plumbline.training.config import Experiment
from plumbline.training.errors import TrainingError
from plumbline.training.material import Material, prepare


@dataclass(frozen=True)
class Replay:
    """Bars of one symbol, those before the test part included, as far as their features are whole.

    Attributes
    ----------
    bar_time : (n,) int64
        Open time, microseconds since 1970 UTC.
    features : (n, f) float32
        Window ``i`` is rows ``i - window_length + 1`` to ``i``.
    names
        Of the columns of the features.
    labels : (n,) int8
        -1 where masked.
    forward_return, closes : (n,) float64
        Simple return over the label's horizon, NaN where masked; closing price.
    window_length
        Rows in a window.
    first
        Index of the first row of the test part, whose window is whole.
    """

    bar_time: IntArray
    features: FloatArray
    names: tuple[str, ...]
    labels: IntArray
    forward_return: FloatArray
    closes: FloatArray
    window_length: int
    first: int

    @property
    def held_out(self) -> int:
        """Number of rows that no training has seen."""
        return len(self.bar_time) - self.first

    def write(self, path: Path) -> None:
        """Write the arrays, and ``feature_names``, as an ``.npz`` without Python objects."""
        arrays = {
            "bar_time": self.bar_time,
            "features": self.features,
            "labels": self.labels,
            "forward_return": self.forward_return,
            "closes": self.closes,
            "feature_names": np.array(self.names),
            "window_length": np.array(self.window_length),
            "first": np.array(self.first),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(write_arrays(arrays))


def build_replay(experiment: Experiment) -> Replay:
    """Compute the features of an experiment's test part, and of what lies before it.

    Raises
    ------
    TrainingError
        If the experiment holds nothing back, or too little comes before the test part.
    """
    if experiment.ends_now:
        raise TrainingError(
            "the experiment has no test part to replay: give split.test a share above 0, and no "
            "data.until"
        )
    material = prepare(experiment)
    dataset = material.dataset
    rows = np.flatnonzero(
        (dataset.symbol == material.symbols[0]) & np.isfinite(dataset.features).all(axis=1)
    )
    held_out = material.split.inside("test", dataset.time[rows])
    first = int(held_out.argmax())
    if not held_out.any() or first < dataset.window_length - 1:
        raise TrainingError(f"{material.symbols[0]}: too few whole rows before the test part")
    return Replay(
        bar_time=dataset.time[rows],
        features=dataset.features[rows],
        names=dataset.names,
        labels=_labels(dataset.truth[rows, 0], material),
        forward_return=dataset.forward_return[rows],
        closes=dataset.close[rows],
        window_length=dataset.window_length,
        first=first,
    )


def _labels(truth: FloatArray, material: Material) -> IntArray:
    """Return the primary output's choices, -1 where masked, or where it is no choice."""
    known = np.isfinite(truth) & (material.label.outputs[0].kind == "choice")
    return np.where(known, truth, -1).astype(np.int8)
