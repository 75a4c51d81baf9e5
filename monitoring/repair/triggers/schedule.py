"""Markets change: retrain after so many predictions or bars, if that is wanted."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from typing_extensions import override

from plumbline.bundle.finding import Remedy
from plumbline.monitoring.repair.situation import Situation
from plumbline.monitoring.repair.triggers.base import NOTHING, Decision, Trigger
from plumbline.store.incident import Origin


class ScheduleTrigger(Trigger):
    """Asks for a warm-started retrain every so many predictions, or bars, of one version."""

    name: ClassVar[str] = "schedule"

    class Params(Trigger.Params):
        """How often."""

        every: int = Field(0, ge=0, description="In predictions; 0 is never.")
        bars: int = Field(0, ge=0, description="In bars, whatever the symbols; 0 is never.")

    def __init__(self, params: Params) -> None:
        super().__init__(params)
        self._every = params.every
        self._bars = params.bars

    @override
    def _wish(self, situation: Situation) -> Decision:
        if not situation.diagnosis.sound:
            return NOTHING
        wish = _after(situation.judgement.rows, self._every, "predictions", "schedule")
        if wish is NOTHING:
            return _after(situation.bars, self._bars, "bars", "schedule|bars")
        return wish


def _after(seen: int, every: int, unit: str, cause: str) -> Decision:
    """Return what is asked for after so many of a unit; one cause for each period."""
    period = seen // every if every else 0
    if period == 0:
        return NOTHING
    return Decision(
        remedy=Remedy.RETRAIN,
        origin=Origin.ROUTINE,
        actor="schedule",
        cause=f"{cause}|{period}",
        reason=f"{period * every} {unit} since this version was promoted",
    )
