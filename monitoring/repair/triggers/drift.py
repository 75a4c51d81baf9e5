"""The inputs have moved: retrain on newer bars, if that is wanted."""

from __future__ import annotations

from typing import ClassVar

from typing_extensions import override

from plumbline.bundle.finding import Remedy, Verdict
from plumbline.monitoring.repair.situation import Situation
from plumbline.monitoring.repair.triggers.base import NOTHING, Decision, Trigger
from plumbline.store.incident import Origin


class DriftTrigger(Trigger):
    """Asks for one warm-started retrain for each drift; the model still responds meanwhile."""

    name: ClassVar[str] = "drift"

    @override
    def _wish(self, situation: Situation) -> Decision:
        judgement = situation.judgement
        if judgement.verdict is not Verdict.DRIFT:
            return NOTHING
        return Decision(
            remedy=Remedy.RETRAIN,
            origin=Origin.ROUTINE,
            actor="drift",
            cause=f"retrain for drift|{judgement.decided_by}",
            reason=judgement.diagnosis.cause,
        )
