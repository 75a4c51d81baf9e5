"""The incidents a controller works on, and the one way they move.

Every move creates the next generation of the incident, so of several controllers one makes it and
the others read what it made. What has ended never changes, and is read once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from plumbline.bundle.finding import Diagnosis, Verdict
from plumbline.store.errors import ConflictError
from plumbline.store.incident import (
    EventKind,
    Incident,
    IncidentBook,
    IncidentEvent,
    IncidentStatus,
    Milestone,
    Origin,
    milestones,
)
from plumbline.store.objects import Objects
from plumbline.store.pointer import Generation
from plumbline.store.registry import AliasTarget

ACTOR = "monitor"
"""Who moves the champion when the monitor does."""


class Event(NamedTuple):
    """What happened, before it has a time.

    Attributes
    ----------
    kind, detail
        What, and one sentence.
    request
        Id of the request it answers or notes.
    verdict
        What was said, where it is a diagnosis.
    """

    kind: EventKind
    detail: str
    request: str | None = None
    verdict: Verdict | None = None


class Docket:
    """The incidents of one model.

    Parameters
    ----------
    objects, model
        Where, and of what.
    clock
        Returns the present time, in UTC.
    on_end
        Told of each incident that this docket has ended.
    """

    def __init__(
        self,
        objects: Objects,
        model: str,
        clock: Callable[[], datetime],
        *,
        on_end: Callable[[Incident], None] = lambda _: None,
    ) -> None:
        self._objects = objects
        self._folder = f"incidents/{model}"
        self._book = IncidentBook(objects, model)
        self._clock = clock
        self._on_end = on_end
        self._ended: dict[str, Incident] = {}
        self._open: dict[str, Generation[Incident]] = {}

    def refresh(self) -> None:
        """Read what has changed since the last call."""
        for name in self._objects.folders(self._folder):
            if name not in self._ended:
                self._keep(self._book.get(name))

    @property
    def open(self) -> list[Generation[Incident]]:
        """Incidents about which something may still be done, oldest first."""
        return sorted(self._open.values(), key=lambda head: head.value.opened)

    @property
    def all(self) -> list[Incident]:
        """Every incident, newest first."""
        everything = [*self._ended.values(), *(head.value for head in self._open.values())]
        return sorted(everything, key=lambda incident: incident.opened, reverse=True)

    @property
    def ended(self) -> list[Incident]:
        """Incidents about which nothing more will be done, newest first."""
        return [incident for incident in self.all if incident.ended]

    @property
    def last_retrain(self) -> datetime | None:
        """When a retrain was last started."""
        return max(self._starts(self.all), default=None)

    def unordered_since(self, moment: datetime) -> int:
        """Return how many retrains that nobody ordered were started since a moment."""
        unordered = [each for each in self.all if each.origin is not Origin.ORDER]
        return sum(time >= moment for time in self._starts(unordered))

    def _starts(self, incidents: Iterable[Incident]) -> list[datetime]:
        return [
            event.time
            for incident in incidents
            for event in incident.events
            if event.kind is EventKind.RETRAIN_STARTED
        ]

    def given_up(self, target: AliasTarget) -> Incident | None:
        """Return the incident for which a person was called about, or left with, what serves.

        None once a person has promoted another version.
        """
        for incident in self.ended:
            of_it = target.version in (incident.version, incident.candidate)
            since = incident.closed is not None and incident.closed >= target.time
            if incident.status is IncidentStatus.CALLED and (
                moved_for(incident, target) or (of_it and since)
            ):
                return incident
        return None

    def __contains__(self, incident_id: str) -> bool:
        return incident_id in self._ended or incident_id in self._open

    def begin(self, incident: Incident, *events: Event) -> Generation[Incident] | None:
        """Record a new incident; returns None if another controller was first."""
        first = self._with_events(incident, events, version=incident.version)
        try:
            head = self._book.open(first)
        except ConflictError:
            return None
        self._keep(head)
        if head.value.ended:
            self._on_end(head.value)
        return head

    def move(
        self,
        head: Generation[Incident],
        *events: Event,
        changes: Mapping[str, object] | None = None,
        version: str | None = None,
        ended: bool = False,
    ) -> Generation[Incident] | None:
        """Record the next state of an incident.

        Parameters
        ----------
        head
            The state this decision was based on.
        events
            What happened, for the timeline.
        changes
            Fields of the incident and their new values.
        version
            The bundle that the events concern.
        ended
            Whether nothing more will be done about it.

        Returns
        -------
        The new state, or None if another controller moved it first: look again at the next step.
        """
        closed = {"closed": self._clock()} if ended else {}
        changed = head.value.model_copy(update={**(changes or {}), **closed})
        incident = self._with_events(changed, events, version=version)
        try:
            moved = self._book.advance(incident, after=head.number)
        except ConflictError:
            return None
        self._keep(moved)
        if moved.value.ended and not head.value.ended:
            self._on_end(moved.value)
        return moved

    def note(self, head: Generation[Incident], event: Event) -> None:
        """Add an event, unless the timeline has one of its kind, request and verdict."""
        known = {(line.kind, line.request, line.verdict) for line in head.value.events}
        if (event.kind, event.request, event.verdict) not in known:
            self.move(head, event)

    def _with_events(
        self, incident: Incident, events: tuple[Event, ...], *, version: str | None
    ) -> Incident:
        now = self._clock()
        lines = tuple(
            IncidentEvent(time=now, version=version, **event._asdict()) for event in events
        )
        return incident.model_copy(update={"events": incident.events + lines})

    def _keep(self, head: Generation[Incident]) -> None:
        incident = head.value
        if incident.ended:
            self._open.pop(incident.id, None)
            self._ended[incident.id] = incident
        else:
            self._open[incident.id] = head


def diagnosed(diagnosis: Diagnosis) -> Event:
    """Return what the timeline says of a diagnosis."""
    text = f"{diagnosis.verdict}: {diagnosis.cause}"
    return Event(EventKind.DIAGNOSED, text, verdict=diagnosis.verdict)


def reaching(
    head: Generation[Incident], *reached: tuple[Milestone, datetime | None]
) -> Generation[Incident]:
    """Return a state that its next move will find to have reached milestones."""
    known = head.value.milestones + milestones(*reached)
    return replace(head, value=head.value.model_copy(update={"milestones": known}))


def moved_for(incident: Incident, target: AliasTarget) -> bool:
    """Whether the champion was put where it is for this incident."""
    return target.incident == incident.id


def called(incident: Incident) -> bool:
    """Whether an open incident waits for its cause outside the model to go away."""
    return incident.status is IncidentStatus.CALLED and not incident.ended
