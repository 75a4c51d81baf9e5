"""The control loop, from a verdict to a checked repair: start reading here.

`Controller.step` is called again and again with the present `Situation`. It remembers nothing that
is not in the store: each step reads the open incidents, compares what is with what should be, and
makes the next move. A controller may therefore die at any point; the next one goes on from there.

::

    verdict ──► OPEN ──► RETRAINING ──► SHADOWING ──► WATCHING ──► RESOLVED   the version is well
                  ▲           │             │             │
                  └─ refused ─┴─────────────┤             └──────► CALLED     no better: put back
                                            └────────────────────► CALLED     attempts used up

A bias shift takes the same road through RECALIBRATING, and a faulty artefact goes straight to
WATCHING by a rollback. What happens in SHADOWING is `Shadowing`'s. A verdict about the *inputs*
calls a person once, holds back every retrain while it lasts, and is RESOLVED when it clears.
Somebody else's promotion ends an incident as SUPERSEDED.

One cause opens one incident, and each of its attempts (two by default) is launched once, for two
reasons. The incident's id is made from the cause, so however many webhooks or controllers report
it, one incident is opened; and a launch is claimed by moving the incident first, which only one
controller can.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog

from plumbline.bundle.errors import BundleError
from plumbline.bundle.finding import Remedy, Verdict
from plumbline.monitoring.errors import PermanentError
from plumbline.monitoring.metrics import Metrics
from plumbline.monitoring.repair.admission import REPAIRS, Admission
from plumbline.monitoring.repair.command import Outcome, job_key, job_of, rung, warm
from plumbline.monitoring.repair.docket import (
    ACTOR,
    Docket,
    Event,
    diagnosed,
    moved_for,
    reaching,
)
from plumbline.monitoring.repair.fallback import Fallback, flips, oscillates
from plumbline.monitoring.repair.job_archive import JobArchive
from plumbline.monitoring.repair.launchers.base import JobHandle, JobState, Launcher
from plumbline.monitoring.repair.leadership import Leadership
from plumbline.monitoring.repair.need import attempts_allowed, remedy_of, strangeness, waits
from plumbline.monitoring.repair.opinion import Opinion
from plumbline.monitoring.repair.pager import Pager
from plumbline.monitoring.repair.request import RequestBox
from plumbline.monitoring.repair.shadowing import Shadowing
from plumbline.monitoring.repair.situation import Situation
from plumbline.monitoring.repair.triggers.base import Trigger
from plumbline.monitoring.settings import MonitoringSettings
from plumbline.store.errors import ConflictError, NotFoundError, RefusedError
from plumbline.store.incident import EventKind, Incident, IncidentStatus, Milestone, Origin
from plumbline.store.objects import Objects
from plumbline.store.pointer import Generation
from plumbline.store.registry import ModelRegistry

Head = Generation[Incident]
_JOBS = frozenset({IncidentStatus.RETRAINING, IncidentStatus.RECALIBRATING})

_DAY = timedelta(hours=24)

log = structlog.get_logger()


def utc_now() -> datetime:
    """Return the present time."""
    return datetime.now(UTC)


class Controller:
    """Works on the incidents of one model.

    Parameters
    ----------
    objects, settings, launcher, triggers, metrics
        What it reads and writes, what it has been told, what runs its jobs, who may ask it, and
        where it counts.
    clock
        Returns the present time, in UTC.
    """

    def __init__(
        self,
        objects: Objects,
        settings: MonitoringSettings,
        *,
        launcher: Launcher,
        triggers: Sequence[Trigger],
        metrics: Metrics,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._settings = settings
        self._launcher = launcher
        self._metrics = metrics
        self._pager = Pager(metrics)
        self._clock = clock
        self.docket = Docket(objects, settings.model, clock, on_end=metrics.count_incident_end)
        patience = timedelta(seconds=settings.request_patience_seconds)
        self.requests = RequestBox(objects, settings.model, patience=patience)
        self._admission = Admission(
            self.docket, self.requests, triggers, metrics=metrics, clock=clock
        )
        self._registry = ModelRegistry(objects, settings.model)
        self._fallback = Fallback(objects, settings.model)
        self._shadowing = Shadowing(objects, settings, metrics=metrics, clock=clock)
        self._archive = JobArchive(objects, settings.model)
        self._leadership = Leadership(objects, settings.model, seconds=settings.lease_seconds)
        self._moved_to = 0
        self._next: Mapping[IncidentStatus, Callable[[Head, Situation], None]] = {
            IncidentStatus.OPEN: self._begin_repair,
            IncidentStatus.RETRAINING: self._follow_job,
            IncidentStatus.RECALIBRATING: self._follow_job,
            IncidentStatus.SHADOWING: self._follow_shadow,
            IncidentStatus.WATCHING: self._watch_candidate,
            IncidentStatus.CALLED: self._await_clearing,
        }

    def leads(self) -> bool:
        """Whether this controller acts; the others stand by."""
        return self._leadership.held()

    def step(self, situation: Situation) -> bool:
        """Make the next move of every incident; returns False when another controller leads.

        What was seen before this controller last moved the champion says nothing of the present.
        """
        if not self.leads():
            return False
        if situation.champion.number < self._moved_to:
            return True
        self.docket.refresh()
        requests = self.requests.pending(self._clock())
        situation = replace(situation, requests=requests, last_retrain=self.docket.last_retrain)
        for head in self.docket.open:
            self._reconcile(head, situation)
        self._shadowing.step(situation, [head.value for head in self.docket.open])
        opened = self._admission.admit(situation)
        if opened is not None:
            self._next[opened.value.status](opened, situation)
        return True

    def close(self) -> None:
        """Stop the jobs of this controller, and let another one lead."""
        self._launcher.close()
        self._leadership.release()

    # -- the moves

    def _reconcile(self, head: Head, situation: Situation) -> None:
        incident = head.value
        if situation.version in (incident.version, incident.candidate):
            self._next[incident.status](head, situation)
        elif moved_for(incident, situation.champion.value):
            self._finish_rollback(head, situation)
        else:
            self._supersede(head, situation)

    def _begin_repair(self, head: Head, situation: Situation) -> None:
        """OPEN: claim the repair and start it, unless it must wait or is no longer needed."""
        incident = head.value
        if waits(incident.origin, situation.diagnosis):
            return
        if not incident.ordered and situation.diagnosis.sound:
            self._resolve(head, "the verdict cleared before anything was done")
        elif incident.attempts == 0 and oscillates(self._fallback, incident, self.docket.ended):
            self._call(head, "oscillating", "retrains flip the model from one action to another")
        elif remedy_of(incident) is Remedy.ROLL_BACK:
            self._roll_back(head, situation)
        elif self._budget_used(incident):
            self._stop_for_today(head)
        else:
            self._launch(head, situation)

    def _budget_used(self, incident: Incident) -> bool:
        """Whether a day's retrains were started; one that somebody ordered is not counted."""
        limit = self._settings.retrains_per_day
        if (
            not limit
            or incident.origin is Origin.ORDER
            or remedy_of(incident) is not Remedy.RETRAIN
        ):
            return False
        return self.docket.unordered_since(self._clock() - _DAY) >= limit

    def _stop_for_today(self, head: Head) -> None:
        """A model that asks for so many retrains has another fault: a person must look."""
        said = f"{self._settings.retrains_per_day} retrains in 24 hours, as many as are allowed"
        if head.value.origin is Origin.ROUTINE:
            self._resolve(head, f"no retrain: {said}; the champion stays")
        else:
            self._call(head, "budget_used_up", said)

    def _launch(self, head: Head, situation: Situation) -> None:
        incident, attempt = head.value, head.value.attempts + 1
        if remedy_of(incident) is Remedy.RECALIBRATE:
            status = IncidentStatus.RECALIBRATING
            event = Event(EventKind.RECALIBRATION_STARTED, "refitting temperature and bias")
        else:
            status = IncidentStatus.RETRAINING
            start = "warm start" if warm(incident) else "from scratch"
            own = self._settings.retrain.command
            how = own[0] if own else rung(attempt).name
            what = f"attempt {attempt}, {start}: {how}"
            event = Event(EventKind.RETRAIN_STARTED, what)
        claimed = self.docket.move(head, event, changes={"status": status, "attempts": attempt})
        if claimed is not None:
            self._archive.tidy(self.docket.all)
            log.info("repair_started", incident=incident.id, attempt=attempt, kind=status.value)
            self._follow_job(claimed, situation)

    def _follow_job(self, head: Head, situation: Situation) -> None:
        """RETRAINING, RECALIBRATING: submit the job, which is a no-op while it runs, and look."""
        incident = head.value
        if incident.candidate is not None:
            self._admit(head, situation)
            return
        try:
            job = job_of(incident, self._settings, situation)
            handle = self._launcher.submit(job)
            status = self._launcher.poll(handle)
        except PermanentError as error:
            self._attempt_failed(head, EventKind.ATTEMPT_FAILED, str(error), result="failed")
            return
        if status.state is JobState.RUNNING:
            return
        self._archive.keep(job.key, self._launcher.log_to_keep(handle))
        outcome = Outcome.read(status.document)
        head = self._judged(head, outcome)
        if outcome is None:
            why = status.detail or f"the job printed no outcome but {status.document}"
            self._attempt_failed(head, EventKind.ATTEMPT_FAILED, why, result="failed")
        elif not outcome.passed:
            why = "; ".join(outcome.reasons) or outcome.verdict
            self._refused(head, outcome.version, why)
        elif (chosen := self.docket.move(head, changes={"candidate": outcome.version})) is not None:
            self._admit(chosen, situation)

    def _judged(self, head: Head, outcome: Outcome | None) -> Head:
        """Note when the gate began and when it was over, by the job's own account."""
        if outcome is None:
            return head
        now = self._clock()
        began = now - timedelta(seconds=outcome.gate_seconds)
        return reaching(head, (Milestone.LEARNT, began), (Milestone.JUDGED, now))

    def _admit(self, head: Head, situation: Situation) -> None:
        """Let a candidate that passed its gate into shadow, or promote it where that is skipped."""
        incident, candidate = head.value, str(head.value.candidate)
        if waits(incident.origin, situation.diagnosis):
            return
        try:
            if differences := strangeness(self._registry, incident.version, candidate):
                self._refused(head, candidate, "; ".join(differences))
                return
            skipped = self._shadowing.skipped(candidate)
            if skipped or situation.version == candidate:
                self._promote(head, situation, Opinion(ready=True, note=skipped))
                return
            if not self._shadowing.begin(incident, candidate):
                return
        except ConflictError:
            return
        except (RefusedError, BundleError, NotFoundError) as error:
            self._refused(head, candidate, str(error))
            return
        event = Event(EventKind.SHADOW_STARTED, f"{candidate} passed its gate; no client sees it")
        changes = {"status": IncidentStatus.SHADOWING}
        if self.docket.move(head, event, changes=changes, version=candidate) is not None:
            log.info("shadow_started", incident=incident.id, version=candidate)

    def _follow_shadow(self, head: Head, situation: Situation) -> None:
        """SHADOWING: wait until enough was seen of the candidate, then promote or refuse it."""
        incident, candidate = head.value, str(head.value.candidate)
        if waits(incident.origin, situation.diagnosis):
            return
        opinion = Opinion(ready=True)
        if situation.version != candidate:
            opinion = self._shadowing.opinion(candidate, situation.shadow)
        if opinion.refused:
            self._refused(head, candidate, opinion.refused)
            self._shadowing.end(candidate, opinion.refused, result="refused", incident=incident.id)
        elif opinion.ready:
            self._promote(head, situation, opinion)

    def _promote(self, head: Head, situation: Situation, opinion: Opinion) -> None:
        """Put the candidate in the champion's place, unless that was done before we died."""
        incident, candidate = head.value, str(head.value.candidate)
        note = f": {opinion.note}" if opinion.note else ""
        if situation.version != candidate:
            shadow = situation.shadow
            try:
                promoted = self._registry.promote(
                    candidate,
                    actor=ACTOR,
                    reason=f"it passed its gate; a repair of incident {incident.id}{note}",
                    expected=situation.champion.number,
                    incident=incident.id,
                    shadow_rows=shadow.rows if shadow and shadow.version == candidate else None,
                )
            except ConflictError:
                return
            except (RefusedError, BundleError, NotFoundError) as error:
                self._refused(head, candidate, str(error))
                return
            self._moved_to = promoted.number
        watching = {"status": IncidentStatus.WATCHING}
        event = Event(EventKind.PROMOTED, f"{candidate} passed its gate and serves{note}")
        if self.docket.move(head, event, changes=watching, version=candidate) is None:
            return
        self._count(incident, "promoted")
        log.info("candidate_promoted", incident=incident.id, version=candidate)
        self._shadowing.end(candidate, "it serves", result="promoted", incident=incident.id)

    def _watch_candidate(self, head: Head, situation: Situation) -> None:
        """WATCHING: the new version is well, or it is no better than the old one."""
        incident = head.value
        if situation.version != incident.candidate:
            self._supersede(head, situation)
        elif situation.remedy in REPAIRS:
            self._undo(head, situation)
        elif situation.diagnosis.sound and situation.judgement.rows >= self._settings.recovery_rows:
            rows = situation.judgement.rows
            head = reaching(head, (Milestone.SERVED, situation.served))
            self._resolve(head, f"{situation.diagnosis.verdict} after {rows} predictions")

    def _await_clearing(self, head: Head, situation: Situation) -> None:
        """CALLED: wait until what a person was called about is over.

        A faulty artefact says nothing of that: it is seen whatever the inputs are.
        """
        verdict = situation.diagnosis.verdict
        if situation.remedy is Remedy.CALL:
            self.docket.note(head, diagnosed(situation.diagnosis))
        elif verdict not in (Verdict.INSUFFICIENT_DATA, Verdict.ARTEFACT_FAULT):
            inputs = head.value.verdict.facts.of_input
            over = "the inputs are sound again" if inputs else f"{head.value.verdict} is over"
            self._resolve(head, f"{over}: {verdict}")

    def _undo(self, head: Head, situation: Situation) -> None:
        """The new version is no better: put back one that was well, and call a person.

        A second try would only flap: the labels or the loss are at fault, not the freshness.
        """
        incident = head.value
        why = f"the new version {incident.candidate} was judged {situation.diagnosis.verdict} too"
        if not self._restore(incident, why):
            self._call(head, self._why_worse(incident), f"{why}; no earlier version was healthy")

    def _roll_back(self, head: Head, situation: Situation) -> None:
        """A faulty artefact: serve the newest version that was well instead."""
        if not self._restore(head.value, situation.diagnosis.cause):
            self._call(head, "no_fallback", "no earlier version was healthy")

    def _restore(self, incident: Incident, why: str) -> bool:
        """Move the champion back; the next step finds it there and goes on from it."""
        version = self._fallback.last_healthy(besides={incident.version, incident.candidate})
        if version is None:
            return False
        try:
            self._registry.rollback(actor=ACTOR, reason=why, to=version, incident=incident.id)
        except ConflictError:
            return True
        except (BundleError, NotFoundError) as error:
            log.error("rollback_failed", incident=incident.id, to=version, reason=str(error))
            return False
        return True

    def _finish_rollback(self, head: Head, situation: Situation) -> None:
        """We moved the champion back in an earlier step."""
        incident, restored = head.value, situation.version
        why = f"{restored} serves again; {situation.champion.value.reason}"
        event = Event(EventKind.ROLLED_BACK, why)
        if remedy_of(incident) is Remedy.ROLL_BACK and incident.candidate is None:
            changes = {"status": IncidentStatus.WATCHING, "candidate": restored}
            self.docket.move(head, event, changes=changes, version=restored)
        else:
            detail = f"the retrained version {incident.candidate} was no better"
            self._call(head, self._why_worse(incident), detail, event)

    def _why_worse(self, incident: Incident) -> str:
        flipped = flips(self._fallback, str(incident.candidate), incident.version)
        return "oscillating" if flipped else "candidate_collapsed"

    def _refused(self, head: Head, candidate: str, why: str) -> None:
        kind = EventKind.CANDIDATE_REFUSED
        self._attempt_failed(head, kind, f"{candidate}: {why}", result="refused")

    def _attempt_failed(self, head: Head, kind: EventKind, why: str, *, result: str) -> None:
        """Try again, or call a person when the attempts are used up."""
        incident = head.value
        changes: dict[str, object] = {"candidate": None}
        if incident.attempts < attempts_allowed(incident, self._settings):
            changes["status"] = IncidentStatus.OPEN
            moved = self.docket.move(head, Event(kind, why), changes=changes)
        elif incident.origin is Origin.ROUTINE:
            changes["status"] = IncidentStatus.RESOLVED
            event = Event(kind, f"{why}; the champion stays")
            moved = self.docket.move(head, event, changes=changes, ended=True)
        else:
            used = f"{incident.attempts} attempts and none succeeded; the last was {result}"
            moved = self._call(head, "attempts_used_up", used, Event(kind, why), changes=changes)
        if moved is not None:
            self._count(incident, result)
            log.warning("attempt_failed", incident=incident.id, result=result, reason=why)

    def _call(
        self,
        head: Head,
        reason: str,
        detail: str,
        *events: Event,
        changes: Mapping[str, object] | None = None,
    ) -> Head | None:
        """Call a person, once, and leave this version alone from now on."""
        events = (*events, Event(EventKind.CALLED, detail))
        called = {**(changes or {}), "status": IncidentStatus.CALLED, "called_for": reason}
        moved = self.docket.move(head, *events, changes=called, ended=True)
        if moved is not None:
            self._pager.call(moved.value)
        return moved

    def _resolve(self, head: Head, detail: str) -> None:
        resolved, event = {"status": IncidentStatus.RESOLVED}, Event(EventKind.RECOVERED, detail)
        if self.docket.move(head, event, changes=resolved, ended=True) is not None:
            log.info("incident_resolved", incident=head.value.id, detail=detail)

    def _supersede(self, head: Head, situation: Situation) -> None:
        """Somebody promoted another version: whatever is under way is pointless."""
        target = situation.champion.value
        detail = f"{target.actor} promoted {target.version}: {target.reason}"
        event = Event(EventKind.SUPERSEDED, detail)
        changes = {"status": IncidentStatus.SUPERSEDED}
        moved = self.docket.move(head, event, changes=changes, version=target.version, ended=True)
        if moved is not None and head.value.status in _JOBS:
            handle = JobHandle(job_key(head.value))
            self._launcher.cancel(handle)
            self._archive.keep(handle.key, self._launcher.log_to_keep(handle))
            self._count(head.value, "superseded")

    def _count(self, incident: Incident, result: str) -> None:
        recalibrated = remedy_of(incident) is Remedy.RECALIBRATE
        counter = self._metrics.recalibrations if recalibrated else self._metrics.retrains
        counter.labels(incident.model, result).inc()
