"""Outcomes say that the model has lost its skill: try a retrain, if that is wanted."""

from __future__ import annotations

from typing import ClassVar

from typing_extensions import override

from plumbline.bundle.finding import Remedy, Verdict
from plumbline.monitoring.repair.situation import Situation
from plumbline.monitoring.repair.triggers.base import NOTHING, Decision, Trigger
from plumbline.store.incident import Origin

_LOST = frozenset({Verdict.NO_SIGNAL, Verdict.ANTI_SIGNAL})


class OutcomeTrigger(Trigger):
    """Asks for one retrain, from scratch, for each version whose outcomes speak against it.

    A person is called all the same. The gate says whether newer bars teach more.
    """

    name: ClassVar[str] = "outcome"

    @override
    def _wish(self, situation: Situation) -> Decision:
        diagnosis = situation.diagnosis
        if diagnosis.verdict not in _LOST:
            return NOTHING
        return Decision(
            remedy=Remedy.RETRAIN,
            origin=Origin.ROUTINE,
            actor="outcome",
            cause=f"{diagnosis.verdict} by outcomes|{situation.champion.number}",
            reason=diagnosis.cause,
        )
