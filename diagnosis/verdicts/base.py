"""A verdict from outside: its name, its facts, where it stands among the others, and its rule."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from plumbline.bundle.verdict import Facts
from plumbline.diagnosis.case import Case
from plumbline.diagnosis.ruling import Ruling


class OwnVerdict(ABC):
    """A verdict that a package or a module of somebody else's brings.

    Whoever repeats it must know it: name the module to the service as well as to the monitor.
    """

    name: ClassVar[str]
    facts: ClassVar[Facts]
    before: ClassVar[str]
    """The verdict before which it is asked for; the first that holds decides."""

    @abstractmethod
    def rule(self, case: Case) -> Ruling:
        """Say whether it holds of one output of a sample, and why."""
