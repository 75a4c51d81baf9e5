"""What every head promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Generic, TypeVar

from plumbline.bundle.array import AnyArray, FloatArray
from plumbline.bundle.calibration import Calibration
from plumbline.bundle.reading import Reading
from plumbline.bundle.spec import OutputSpec

C = TypeVar("C", bound=Calibration)


class Head(ABC, Generic[C]):
    """Turns raw numbers of one output into a reading, and knows what they are worth.

    Parameters
    ----------
    spec
        Of the output.

    Raises
    ------
    ValueError
        If the specification is not one of this kind; the message says what was expected.
    """

    kind: ClassVar[str]
    calibration_kind: ClassVar[type[Calibration]]

    def __init__(self, spec: OutputSpec) -> None:
        self.check(spec)
        self.spec = spec

    @classmethod
    @abstractmethod
    def check(cls, spec: OutputSpec) -> None:
        """Raise `ValueError` unless width, choices and positions fit this kind."""

    @abstractmethod
    def identity(self) -> C:
        """Return the calibration that changes nothing, for a model without held-out truth."""

    def unfitted(self, raw: FloatArray) -> C:
        """Return what can be said of raw numbers ``(n, members, w)`` without any truth."""
        del raw
        return self.identity()

    def misfit(self, calibration: Calibration) -> str | None:
        """Say why a calibration is not one of this output; None where it is."""
        del calibration
        return None

    def untrue(self, truth: FloatArray) -> str | None:
        """Say why numbers ``(n,)`` cannot be truths of this output; None where they can."""
        del truth
        return None

    @abstractmethod
    def read(self, raw: FloatArray, calibration: C, group: AnyArray | None = None) -> Reading:
        """Read a batch.

        Parameters
        ----------
        raw : (n, members, w) floating
        calibration
            Of this head.
        group : (n,) or None
            Which rows belong to one cross-section; None: all of them.
        """

    @abstractmethod
    def coordinates(
        self, centre: FloatArray, calibration: C, group: AnyArray | None = None
    ) -> FloatArray:
        """Return the coordinates ``(n, c) float64`` of a centre ``(n, w)``, as logged."""

    @abstractmethod
    def fit(
        self,
        raw: FloatArray,
        truth: FloatArray,
        group: AnyArray | None = None,
        *,
        correction: tuple[float, ...] | None = None,
    ) -> C:
        """Fit the calibration on rows the weights have not seen.

        Parameters
        ----------
        raw : (n, members, w) floating
            Finite.
        truth : (n,) floating
            NaN where masked; a choice's place, a value, or what a score should rank.
        group : (n,) or None
        correction
            What the loss left out of the raw numbers, if the kind knows such a thing.

        Raises
        ------
        ValueError
            If no row has a truth, or a raw number is not finite.
        """

    @abstractmethod
    def gain(
        self, reading: Reading, truth: FloatArray, calibration: C, group: AnyArray | None = None
    ) -> FloatArray:
        """Return what each row is worth beyond the best constant in hindsight: ``(n,) float64``.

        Nats for a choice, CRPS in units of the value, products of normal scores (whose mean is a
        rank correlation) for a score; NaN where the truth is.
        """

    @abstractmethod
    def spread(self, reading: Reading) -> float | None:
        """Return how much the output varies over the rows; None for fewer than two rows.

        Comparable with one number whatever the kind: 1 is plenty, 1e-4 is flat.
        """

    @abstractmethod
    def direction(self, reading: Reading) -> FloatArray:
        """Return which way each row points and how far: ``(n,) float64``, above zero for up."""

    def confidence(self, reading: Reading) -> FloatArray | None:
        """Return how sure each row is, ``(n,)`` between 0 and 1; None where that has no meaning."""
        del reading
        return None

    @abstractmethod
    def to_wire(self, reading: Reading, i: int, calibration: C) -> dict[str, Any]:
        """Return row ``i`` as the JSON object a client gets; its first key is ``kind``."""
