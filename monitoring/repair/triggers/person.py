"""A person asks for a retrain, whatever the verdict."""

from __future__ import annotations

from typing import ClassVar

from typing_extensions import override

from plumbline.bundle.finding import Remedy
from plumbline.monitoring.repair.request import RequestKind
from plumbline.monitoring.repair.situation import Situation
from plumbline.monitoring.repair.triggers.base import NOTHING, Decision, Trigger
from plumbline.store.incident import Origin


class PersonTrigger(Trigger):
    """Asks for one retrain per request; it starts from present weights if the model is sound."""

    name: ClassVar[str] = "person"

    @override
    def _wish(self, situation: Situation) -> Decision:
        for request in situation.requests:
            if request.kind is RequestKind.PERSON:
                return Decision(
                    remedy=Remedy.RETRAIN,
                    actor=request.actor,
                    origin=Origin.ORDER,
                    request=request.id,
                    cause=f"request|{request.id}",
                    reason=request.reason,
                )
        return NOTHING
