"""Markets change: retrain after so many predictions, if that is wanted."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from typing_extensions import override

from plumbline.bundle.finding import Remedy
from plumbline.monitoring.repair.situation import Situation
from plumbline.monitoring.repair.triggers.base import NOTHING, Decision, Trigger
from plumbline.store.incident import Origin


class ScheduleTrigger(Trigger):
    """Asks for a warm-started retrain every so many predictions of one version."""

    name: ClassVar[str] = "schedule"

    class Params(Trigger.Params):
        """How often."""

        every: int = Field(0, ge=0, description="In predictions; 0 is never.")

    def __init__(self, params: Params) -> None:
        super().__init__(params)
        self._every = params.every

    @override
    def _wish(self, situation: Situation) -> Decision:
        if not self._every or not situation.diagnosis.sound:
            return NOTHING
        period = situation.judgement.rows // self._every
        if period == 0:
            return NOTHING
        return Decision(
            remedy=Remedy.RETRAIN,
            origin=Origin.ROUTINE,
            actor="schedule",
            cause=f"schedule|{period}",
            reason=f"{period * self._every} predictions since this version was promoted",
        )
