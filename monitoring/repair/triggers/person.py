"""A person asks for a retrain, whatever the verdict."""

from __future__ import annotations

from typing_extensions import override

from plumbline.bundle.finding import Remedy
from plumbline.monitoring.repair.request import RequestKind
from plumbline.monitoring.repair.situation import Situation
from plumbline.monitoring.repair.triggers.base import NOTHING, Decision, Trigger

REQUEST = "request|"
"""Begins the cause of a decision that answers one request and is settled with it."""


class PersonTrigger(Trigger):
    """Asks for one retrain per request; it starts from present weights if the model is sound."""

    @override
    def _wish(self, situation: Situation) -> Decision:
        for request in situation.requests:
            if request.kind is RequestKind.PERSON:
                return Decision(
                    remedy=Remedy.RETRAIN,
                    actor=request.actor,
                    cause=f"{REQUEST}{request.id}",
                    reason=request.reason,
                    warm=situation.diagnosis.sized,
                )
        return NOTHING
