"""One action after the other, the same one."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from typing_extensions import override

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.verdict import Accusation, Side
from plumbline.diagnosis.measure import Measures
from plumbline.diagnosis.null import NO_EVENT
from plumbline.monitoring.watching.detectors.base import Detector


class ActionShare(Detector):
    """Persistence of each action.

    Slow by nature: an action that healthily stays with probability .99 carries .01 nats a row. A
    share cannot be watched both fast and honestly; this detector is the honest one.
    """

    name: ClassVar[str] = "action_share"
    accuses: ClassVar[Accusation] = Side.MODEL

    @override
    def learn(self, reference: Measures) -> FloatArray:
        return np.arange(reference.residual.shape[1], dtype=np.float64)

    @override
    def events(self, measures: Measures, edges: FloatArray) -> IntArray:
        taken = measures.action[:, None]
        return np.where(taken >= 0, (taken == edges).astype(np.int8), np.int8(NO_EVENT))
