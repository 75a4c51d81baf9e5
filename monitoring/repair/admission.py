"""From a trigger's wish to an incident, if nothing stands against it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

import structlog

from plumbline.bundle.digest import name_of
from plumbline.bundle.finding import Remedy
from plumbline.monitoring.metrics import Metrics
from plumbline.monitoring.repair.docket import Docket, Event, called, diagnosed
from plumbline.monitoring.repair.need import waits
from plumbline.monitoring.repair.pager import Pager
from plumbline.monitoring.repair.request import RequestBox, RequestKind
from plumbline.monitoring.repair.situation import Situation
from plumbline.monitoring.repair.triggers.base import Decision, Trigger
from plumbline.store.incident import (
    EventKind,
    Incident,
    IncidentStatus,
    Milestone,
    Origin,
    milestones,
)
from plumbline.store.pointer import Generation

REPAIRS = frozenset({Remedy.RETRAIN, Remedy.RECALIBRATE, Remedy.ROLL_BACK})

log = structlog.get_logger()


class Admission:
    """Opens incidents: at most one repair and one call for a person at a time."""

    def __init__(
        self,
        docket: Docket,
        requests: RequestBox,
        triggers: Sequence[Trigger],
        *,
        metrics: Metrics,
        clock: Callable[[], datetime],
    ) -> None:
        self._docket = docket
        self._requests = requests
        self._triggers = triggers
        self._metrics = metrics
        self._pager = Pager(metrics)
        self._clock = clock

    def admit(self, situation: Situation) -> Generation[Incident] | None:
        """Return the repair that was opened, if one was."""
        self._note_webhooks(situation)
        for decision in self._wishes(situation):
            incident_id = incident_key(situation, decision)
            head = None
            if incident_id not in self._docket and self._admissible(decision, situation):
                head = self._open(incident_id, decision, situation)
            order = decision.request if decision.origin is Origin.ORDER else None
            if order is not None and incident_id in self._docket:
                self._requests.resolve(order)
            if head is not None and head.value.status is IncidentStatus.OPEN:
                return head
        return None

    def _wishes(self, situation: Situation) -> Iterator[Decision]:
        now = self._clock()
        wishes = (trigger.decide(situation, now) for trigger in self._triggers)
        return (wish for wish in wishes if wish.acts)

    def _admissible(self, decision: Decision, situation: Situation) -> bool:
        open_ones = [head.value for head in self._docket.open]
        if decision.remedy is Remedy.CALL:
            return not any(called(incident) for incident in open_ones)
        if decision.remedy not in REPAIRS:
            return True
        if waits(decision.origin, situation.diagnosis):
            return False
        if not all(called(incident) for incident in open_ones):
            return False
        given_up = self._docket.given_up(situation.champion.value)
        return decision.origin is Origin.ORDER or given_up is None

    def _open(
        self, incident_id: str, decision: Decision, situation: Situation
    ) -> Generation[Incident] | None:
        diagnosis, judgement = situation.diagnosis, situation.judgement
        events: list[Event] = [
            Event(EventKind.ALARMED, f"{decision.actor}: {decision.reason}", decision.request),
            diagnosed(diagnosis),
        ]
        status, closed, called_for = IncidentStatus.OPEN, None, ""
        if decision.remedy is Remedy.CALL:
            status, called_for = IncidentStatus.CALLED, diagnosis.verdict.value
            events.append(Event(EventKind.CALLED, f"{diagnosis.cause} No retrain follows."))
        elif decision.remedy is Remedy.REPORT:
            status, closed = IncidentStatus.RESOLVED, self._clock()
            events.append(Event(EventKind.RECOVERED, "reported; the model still responds"))
        incident = Incident(
            id=incident_id,
            model=situation.model,
            version=situation.version,
            verdict=diagnosis.verdict,
            status=status,
            trigger=decision.trigger,
            actor=decision.actor,
            origin=decision.origin,
            opened=self._clock(),
            closed=closed,
            detected_after=judgement.detected_after,
            decided_by=judgement.decided_by,
            milestones=milestones(
                (Milestone.ONSET, judgement.onset), (Milestone.DECIDED, judgement.decided)
            ),
            called_for=called_for,
            diagnosis=diagnosis,
        )
        head = self._docket.begin(incident, *events)
        if head is not None:
            self._metrics.incidents.labels(situation.model, diagnosis.verdict.value).inc()
            log.warning("incident_opened", incident=incident_id, verdict=diagnosis.verdict.value)
        if head is not None and decision.remedy is Remedy.CALL:
            self._pager.call(head.value)
        return head

    def _note_webhooks(self, situation: Situation) -> None:
        """Write each alert into the timeline of the incident it is about, once."""
        alerts = [r for r in situation.requests if r.kind is RequestKind.WEBHOOK]
        for alert in alerts:
            for head in self._docket.open:
                if alert.version in (None, head.value.version):
                    event = Event(EventKind.WEBHOOK_RECEIVED, alert.actor, alert.id)
                    self._docket.note(head, event)


def incident_key(situation: Situation, decision: Decision) -> str:
    """Return the id that every monitor gives to this cause."""
    text = "|".join((situation.model, situation.version, decision.cause))
    return name_of(text)
