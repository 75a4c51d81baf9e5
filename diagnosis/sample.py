"""The rows to be judged, wherever they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from plumbline.bundle.archive import Bundle
from plumbline.bundle.array import AnyArray, FloatArray, IntArray
from plumbline.bundle.outputs import Outputs
from plumbline.bundle.reading import Reading
from plumbline.bundle.reference import ReferenceProfile
from plumbline.bundle.stress import StressRows
from plumbline.diagnosis.baseline import Baseline, fit_baseline


@dataclass(frozen=True)
class Sample:
    """Predictions, oldest first: of a validation set, of sampled windows, or of the live stream.

    Attributes
    ----------
    readings
        By output: what the model said, read by its heads; finite.
    action : (n,) integer, or None
        Of the policy; None for one without actions.
    features : (n, f) floating, or None
        Last step of each input window, before scaling.
    truth : (n, outputs) floating, or None
        In the order of the outputs; NaN where masked or not known yet.
    group : (n,), or None
        Which rows are one cross-section.
    bar_time : (n,) int64, or None
        Microseconds since 1970 UTC.
    symbol : (n,) str, or None
        None means one symbol.
    inputs_hash : (n,) str, or None
        Equal for bit-identical inputs.
    """

    readings: Mapping[str, Reading]
    action: IntArray | None = None
    features: FloatArray | None = None
    truth: FloatArray | None = None
    group: AnyArray | None = None
    bar_time: IntArray | None = None
    symbol: AnyArray | None = None
    inputs_hash: AnyArray | None = None

    def __len__(self) -> int:
        return len(next(iter(self.readings.values())))


@dataclass(frozen=True)
class Context:
    """What the rows are held against.

    Attributes
    ----------
    outputs
        Heads with their calibrations, and the policy.
    features
        Names in the order of the features' columns.
    reference
        The healthy stream, or None when there is none yet (a first training judges itself).
    stress
        What the columns do in markets under stress, where that is known.
    """

    outputs: Outputs
    features: tuple[str, ...]
    reference: ReferenceProfile | None = None
    stress: StressRows | None = None

    @classmethod
    def of(cls, bundle: Bundle) -> Self:
        """Return what the rows of a bundle are held against."""
        names = bundle.manifest.feature_names
        return cls(bundle.outputs, names, bundle.reference, bundle.stress)

    @cached_property
    def baseline(self) -> Baseline | None:
        """The reference, measured on first use; None where there is none or it is too short."""
        if self.reference is None:
            return None
        readings = read_reference(self.reference, self.outputs)
        return fit_baseline(self.reference, readings, self.stress)


def read_reference(reference: ReferenceProfile, outputs: Outputs) -> dict[str, Reading]:
    """Return the reference's rows as its heads read them."""
    return outputs.restore(reference.centre, reference.epistemic, reference.group)


def of_reference(reference: ReferenceProfile, outputs: Outputs) -> Sample:
    """Return the reference's own rows as a sample, truth included."""
    return Sample(
        readings=read_reference(reference, outputs),
        action=reference.action if outputs.policy.actions else None,
        features=reference.features,
        truth=reference.truth,
        group=reference.group,
        bar_time=reference.bar_time,
        symbol=reference.symbol,
    )
