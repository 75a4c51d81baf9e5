"""The base of all triggers.

A trigger looks at a situation and says what should be done; it does nothing itself. Two rules hold
for all of them, so they are kept here: no retrain while a person is called about something that
stands against it (`need.waits`), and none before the cool-down is over.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar, final

from pydantic import Field

from plumbline.bundle.finding import Remedy
from plumbline.bundle.record import Record
from plumbline.monitoring.repair.need import waits
from plumbline.monitoring.repair.situation import Situation
from plumbline.store.incident import Origin


@dataclass(frozen=True)
class Decision:
    """What a trigger wants done.

    Attributes
    ----------
    remedy
        `Remedy.NONE` when nothing is to be done.
    trigger
        Name of the trigger that fired; the base class fills it in.
    origin
        Why it is wanted, which says how far the repair may go.
    actor
        Who asks: an alert, a person, or the trigger itself.
    request
        Id of the request it answers, if somebody made one.
    cause
        Equal for equal causes, whichever monitor sees them: the incident's id is made from it.
    reason
        One sentence for the timeline.
    """

    remedy: Remedy = Remedy.NONE
    trigger: str = ""
    origin: Origin = Origin.VERDICT
    actor: str = ""
    request: str | None = None
    cause: str = ""
    reason: str = ""

    @property
    def acts(self) -> bool:
        """Whether anything is to be done."""
        return self.remedy is not Remedy.NONE


NOTHING = Decision()


class Trigger(ABC):
    """Decides, from a situation alone, what should be done."""

    name: ClassVar[str]

    class Params(Record):
        """What a trigger can be told; subclasses add to it."""

        cooldown: timedelta = Field(timedelta(0), description="Between one retrain and the next.")

    def __init__(self, params: Params) -> None:
        self._cooldown = params.cooldown

    @final
    def decide(self, situation: Situation, now: datetime) -> Decision:
        """Return what should be done; `NOTHING` when all is well or when it must wait."""
        wish = self._wish(situation)
        decision = replace(wish, trigger=self.name) if wish.acts else NOTHING
        if decision.remedy is not Remedy.RETRAIN:
            return decision
        if waits(decision.origin, situation.diagnosis) or self._cooling(situation, now):
            return NOTHING
        return decision

    @abstractmethod
    def _wish(self, situation: Situation) -> Decision:
        """Return what this trigger asks for, whatever the time."""

    def _cooling(self, situation: Situation, now: datetime) -> bool:
        last = situation.last_retrain
        return last is not None and now - last < self._cooldown
