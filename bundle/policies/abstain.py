"""Say what is read, and suggest nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from typing_extensions import override

from plumbline.bundle.array import AnyArray
from plumbline.bundle.calibration import Calibration
from plumbline.bundle.policies.base import Policy
from plumbline.bundle.reading import Decision, Reading
from plumbline.bundle.record import Record


class AbstainPolicy(Policy[Record]):
    """For outputs that are no bets: no action, size zero."""

    kind: ClassVar[str] = "abstain"

    @override
    def decide(
        self,
        readings: Mapping[str, Reading],
        calibrations: Mapping[str, Calibration],
        group: AnyArray | None = None,
    ) -> Decision:
        zero = np.zeros(len(readings[self.output.name]))
        return Decision(None, zero, zero)
