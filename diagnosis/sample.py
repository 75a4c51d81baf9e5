"""The rows to be judged, wherever they come from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.policy import DecisionPolicy
from plumbline.bundle.reference import ReferenceProfile
from plumbline.diagnosis.baseline import Baseline, fit_baseline


@dataclass(frozen=True)
class Sample:
    """Predictions, oldest first: of a validation set, of sampled windows, or of the live stream.

    Attributes
    ----------
    logits, probabilities : (n, k) floating
        Raw, and calibrated; finite.
    actions : (n,) integer
        Of the decision policy.
    features : (n, f) floating, or None
        Last step of each input window, before scaling.
    labels : (n,) integer, or None
        True class, -1 where masked or not known yet.
    bar_time : (n,) int64, or None
        Microseconds since 1970 UTC.
    symbol : (n,) str, or None
        None means one symbol.
    window_hash : (n,) str, or None
        Equal for bit-identical input windows.
    """

    logits: FloatArray
    probabilities: FloatArray
    actions: IntArray
    features: FloatArray | None = None
    labels: IntArray | None = None
    bar_time: IntArray | None = None
    symbol: np.ndarray | None = None
    window_hash: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.actions)


@dataclass(frozen=True)
class Context:
    """What the rows are held against.

    Attributes
    ----------
    classes
        Names in the order of the logits.
    features
        Names in the order of the features' columns.
    policy
        The decision policy; its prior is the training prior.
    reference
        The healthy stream, or None when there is none yet (a first training judges itself).
    """

    classes: tuple[str, ...]
    features: tuple[str, ...]
    policy: DecisionPolicy
    reference: ReferenceProfile | None = None

    @cached_property
    def baseline(self) -> Baseline | None:
        """The reference, measured on first use; None where there is none or it is too short."""
        return None if self.reference is None else fit_baseline(self.reference)


def of_reference(reference: ReferenceProfile) -> Sample:
    """Return the reference's own rows as a sample, labels included."""
    return Sample(
        logits=reference.logits,
        probabilities=reference.probabilities,
        actions=reference.actions,
        features=reference.features,
        labels=reference.labels,
        bar_time=reference.bar_time,
        symbol=reference.symbol,
    )
