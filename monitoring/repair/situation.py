"""What the controller and its triggers look at: one moment, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from plumbline.bundle.finding import Diagnosis, Remedy
from plumbline.monitoring.repair.request import Request
from plumbline.monitoring.watching.judgement import Judgement
from plumbline.monitoring.watching.shadow import ShadowState
from plumbline.store.pointer import Generation
from plumbline.store.registry import AliasTarget


@dataclass(frozen=True)
class Situation:
    """The model at one moment; equal situations get equal decisions.

    Attributes
    ----------
    model
        Its name.
    champion
        Which version serves, since when, and the generation of that decision.
    judgement
        What is said of that version.
    until
        End of the newest bar seen, if clients say which bar a window ends with.
    bars
        How many bars clients have asked about since it was promoted, each counted once.
    served
        Since when no other version has answered them; None before its own first answer.
    live
        From when to when rows of this version with sound inputs were logged, if there are any.
    requests
        Who has asked for a retrain and not been answered, oldest first.
    last_retrain
        When a retrain was last started.
    shadow
        What is known of the version in shadow, if there is one.
    """

    model: str
    champion: Generation[AliasTarget]
    judgement: Judgement
    until: datetime | None = None
    live: tuple[datetime, datetime] | None = None
    requests: tuple[Request, ...] = ()
    last_retrain: datetime | None = None
    shadow: ShadowState | None = None
    bars: int = 0
    served: datetime | None = None

    @property
    def version(self) -> str:
        """The version that serves."""
        return self.champion.value.version

    @property
    def diagnosis(self) -> Diagnosis:
        """What is said of it."""
        return self.judgement.diagnosis

    @property
    def remedy(self) -> Remedy:
        """What that asks for."""
        return self.judgement.diagnosis.remedy
