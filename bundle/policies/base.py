"""What every policy promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Generic, TypeVar

from plumbline.bundle.array import AnyArray
from plumbline.bundle.calibration import Calibration
from plumbline.bundle.reading import Decision, Reading
from plumbline.bundle.record import Record
from plumbline.bundle.spec import OutputSpec

P = TypeVar("P", bound=Record)


class Policy(ABC, Generic[P]):
    """Turns readings into actions and sizes; readings are one thing, what is done another.

    Parameters
    ----------
    params
        Of the subclass's ``Params``.
    output
        The primary output, which it decides by.

    Raises
    ------
    ValueError
        If the parameters or the output do not fit it.
    """

    kind: ClassVar[str]
    Params: type[Record] = Record

    def __init__(self, params: P, output: OutputSpec) -> None:
        self.params = params
        self.output = output

    @property
    def actions(self) -> tuple[str, ...]:
        """Names of the actions, in the order of their numbers; none for one that has no actions."""
        return ()

    @abstractmethod
    def decide(
        self,
        readings: Mapping[str, Reading],
        calibrations: Mapping[str, Calibration],
        group: AnyArray | None = None,
    ) -> Decision:
        """Decide on a batch; ``group (n,)`` says which rows belong to one cross-section."""

    @property
    def prior(self) -> tuple[float, ...] | None:
        """Share of each action the calibration was fitted on; None without actions."""
        return None
