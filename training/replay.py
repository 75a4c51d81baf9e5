"""The held-out bars of an experiment, for those who replay them without knowing this room."""

from __future__ import annotations

import numpy as np

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.replay import Replay
from plumbline.training.config import Experiment
from plumbline.training.errors import TrainingError
from plumbline.training.material import Material, prepare


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
