"""Alertmanager asks, and the monitor's own diagnosis decides.

A rule over counters sees that something is wrong, not what: a frozen feed raises the same alert as
a collapsed model. So a webhook starts a retrain only when the verdict asks for one, and otherwise
waits for it; a forged one can do no more than that.
"""

from __future__ import annotations

from typing import ClassVar

from typing_extensions import override

from plumbline.bundle.finding import Remedy
from plumbline.monitoring.repair.request import RequestKind
from plumbline.monitoring.repair.situation import Situation
from plumbline.monitoring.repair.triggers.base import NOTHING, Decision, Trigger


class WebhookTrigger(Trigger):
    """Asks for a retrain while an alert about this version is firing and the verdict agrees."""

    name: ClassVar[str] = "webhook"

    @override
    def _wish(self, situation: Situation) -> Decision:
        judgement = situation.judgement
        if judgement.diagnosis.remedy is not Remedy.RETRAIN:
            return NOTHING
        for request in situation.requests:
            if request.kind is not RequestKind.WEBHOOK:
                continue
            if request.version in (None, situation.version):
                return Decision(
                    remedy=Remedy.RETRAIN,
                    actor=request.actor,
                    request=request.id,
                    cause=f"{judgement.diagnosis.verdict}|{judgement.decided_by}",
                    reason=f"the alert is firing; {judgement.diagnosis.cause}",
                )
        return NOTHING
