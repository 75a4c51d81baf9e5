"""Incidents: what was seen, decided and tried, and how it ended."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from plumbline.bundle.finding import Diagnosis, Verdict
from plumbline.bundle.record import Record
from plumbline.store.errors import NotFoundError
from plumbline.store.objects import Objects
from plumbline.store.pointer import Generation, Pointer


class IncidentStatus(StrEnum):
    """Where an incident stands; the last three end it."""

    OPEN = "open"
    RETRAINING = "retraining"
    RECALIBRATING = "recalibrating"
    SHADOWING = "shadowing"
    WATCHING = "watching"
    RESOLVED = "resolved"
    CALLED = "called"
    SUPERSEDED = "superseded"


class Origin(StrEnum):
    """Why something is to be done, which says how far it may go."""

    VERDICT = "verdict"
    """The model's state asks for it; no longer when that clears."""
    ROUTINE = "routine"
    """The model is well; one attempt, and a refusal changes nothing."""
    ORDER = "order"
    """A person wants it, whatever the verdict."""


class EventKind(StrEnum):
    """What can happen in an incident."""

    ALARMED = "alarmed"
    DIAGNOSED = "diagnosed"
    WEBHOOK_RECEIVED = "webhook_received"
    RETRAIN_STARTED = "retrain_started"
    RECALIBRATION_STARTED = "recalibration_started"
    ATTEMPT_FAILED = "attempt_failed"
    CANDIDATE_REFUSED = "candidate_refused"
    SHADOW_STARTED = "shadow_started"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    CALLED = "called"
    RECOVERED = "recovered"
    SUPERSEDED = "superseded"


class Milestone(StrEnum):
    """What a repair has reached without anybody deciding anything, and is known of it later."""

    ONSET = "onset"
    """The first row of the fault was answered, by the watch's estimate."""
    DECIDED = "decided"
    """The row was answered that decided the verdict."""
    LEARNT = "learnt"
    """A candidate was made, and its gate began."""
    JUDGED = "judged"
    """The gate had judged it, and the loop knew."""
    SERVED = "served"
    """The promoted version answered, and no other one did after it."""


class Reached(Record):
    """A milestone, and when it was reached."""

    milestone: Milestone
    time: datetime


class IncidentEvent(Record):
    """One line of the timeline."""

    time: datetime
    kind: EventKind
    detail: str
    version: str | None = Field(None, description="The bundle concerned.")
    request: str | None = Field(None, description="Id of the request it answers or notes.")
    verdict: Verdict | None = Field(None, description="What was said, where it is a diagnosis.")


class Incident(Record):
    """One episode of one model version, from alarm to end."""

    id: str
    model: str
    version: str = Field(description="The version that was serving.")
    verdict: Verdict
    status: IncidentStatus
    trigger: str = Field(description="Name of the trigger that fired.")
    actor: str = Field(description="Who asked: an alert, a person, or the trigger itself.")
    origin: Origin = Field(Origin.VERDICT, description="Why it was opened.")
    opened: datetime
    closed: datetime | None = None
    detected_after: int = Field(ge=0, description="Predictions of the episode until the verdict.")
    decided_by: str | None = Field(None, description="Prediction id of the row that decided it.")
    attempts: int = Field(0, ge=0, description="Retrains or refits launched.")
    candidate: str | None = Field(None, description="Version made for it, once there is one.")
    called_for: str = Field("", description="Why a person was called, in one word, if one was.")
    diagnosis: Diagnosis
    events: tuple[IncidentEvent, ...] = ()
    milestones: tuple[Reached, ...] = Field((), description="In the order they became known.")

    @property
    def ordered(self) -> bool:
        """Whether a retrain was asked for whatever the verdict."""
        return self.origin is not Origin.VERDICT

    @property
    def ended(self) -> bool:
        """Whether nothing more will be done about it."""
        return self.closed is not None


def milestones(*reached: tuple[Milestone, datetime | None]) -> tuple[Reached, ...]:
    """Return those of which the time is known."""
    return tuple(Reached(milestone=what, time=time) for what, time in reached if time is not None)


class IncidentBook:
    """The incidents of one model, as pointers under ``incidents/<model>/<id>/``."""

    def __init__(self, objects: Objects, model: str) -> None:
        self._objects = objects
        self._model = model
        self._pointers: dict[str, Pointer[Incident]] = {}

    def open(self, incident: Incident) -> Generation[Incident]:
        """Record a new incident.

        Raises
        ------
        ConflictError
            If another controller opened it first; read that one instead.
        """
        return self._pointer(incident.id).advance(incident, after=0)

    def advance(self, incident: Incident, *, after: int) -> Generation[Incident]:
        """Record the next state; `ConflictError` tells the loser of a race to read again."""
        return self._pointer(incident.id).advance(incident, after=after)

    def get(self, incident_id: str) -> Generation[Incident]:
        """Return an incident's present state; `NotFoundError` if there is none."""
        head = self._pointer(incident_id).newest()
        if head is None:
            raise NotFoundError(f"there is no incident {incident_id} of model {self._model}")
        return head

    def all(self) -> list[Generation[Incident]]:
        """Return every incident's present state, oldest first.

        A folder whose first generation is still being written is not an incident yet.
        """
        names = self._objects.folders(f"incidents/{self._model}")
        heads = (self._pointer(name).newest() for name in names)
        return sorted((head for head in heads if head), key=lambda head: head.value.opened)

    def _pointer(self, incident_id: str) -> Pointer[Incident]:
        if incident_id not in self._pointers:
            folder = f"incidents/{self._model}/{incident_id}"
            self._pointers[incident_id] = Pointer(self._objects, folder, Incident)
        return self._pointers[incident_id]
