"""What one verdict says of one case."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from plumbline.bundle.finding import Finding
from plumbline.diagnosis.case import Case


@dataclass(frozen=True)
class Ruling:
    """Whether a verdict holds, why, and what was measured to find out.

    Attributes
    ----------
    holds
        Whether it is the matter.
    cause
        One sentence, used if this verdict is the first that holds.
    findings
        Reported either way.
    """

    holds: bool
    cause: str = ""
    findings: tuple[Finding, ...] = ()


Rule: TypeAlias = Callable[[Case], Ruling]
