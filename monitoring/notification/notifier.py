"""Tells people of incidents: each message once, in order, and never in the way of the loop.

What is to be told follows from the incidents in the store, and what has been told is kept beside
them. So nothing is lost with a monitor, and nothing is told twice by the next: every round lines up
what is new, and a thread of its own sends it. While the receiver fails, the oldest message is tried
again at growing pauses and all others wait behind it; a message that nobody took for a day is old.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from plumbline.monitoring.metrics import Metrics
from plumbline.monitoring.notification.message import Message, compose
from plumbline.monitoring.notification.occasion import Turn, turns
from plumbline.monitoring.notification.receiver import ATTEMPT_SECONDS, Receipt, Receiver
from plumbline.monitoring.page.ahead import Ahead
from plumbline.monitoring.page.status import MessageState
from plumbline.monitoring.settings import MonitoringSettings
from plumbline.store.delivery import Deliveries, Delivery, DeliveryStatus
from plumbline.store.errors import ConflictError, StoreError
from plumbline.store.incident import Incident
from plumbline.store.objects import Objects
from plumbline.store.pointer import Generation
from plumbline.store.report import list_reports

MOST_WAITING = 100
"""Messages in line; what is more stays where it is, in the store, until there is room."""

PATIENCE = timedelta(days=1)
"""A message that could not be sent for so long is given up."""

_PAUSES = (1.0, 5.0, 15.0, 60.0, 300.0, 600.0)
"""Seconds after the first, second ... failure in a row; the last after all others."""

_CLAIM = timedelta(seconds=2 * ATTEMPT_SECONDS)
_STORE_PAUSE = 5.0
_STOP_SECONDS = 2.0

log = structlog.get_logger()
Key = tuple[str, int]


@dataclass(frozen=True)
class _Waiting:
    """One message in line: its incident, the move, and what was ahead at that moment."""

    incident: Incident
    turn: Turn
    ahead: tuple[Ahead, ...]

    @property
    def key(self) -> Key:
        """The same for every monitor."""
        return self.incident.id, self.turn.number

    @property
    def place(self) -> tuple[str, str]:
        """Where the store has how it fares: incident and number."""
        return self.incident.id, str(self.turn.number)

    @property
    def name(self) -> str:
        """For the log."""
        return "-".join(self.place)


@dataclass(frozen=True)
class _Attempt:
    """An attempt whose answer is not recorded yet."""

    waiting: _Waiting
    claim: Generation[Delivery]
    receipt: Receipt


class Notifier:
    """The messages of one model.

    Parameters
    ----------
    objects, settings, metrics
        The store, what the monitor has been told, and where it counts.
    clock
        Returns the present time, in UTC.
    pauses
        Seconds after the first, second … failure in a row.
    """

    def __init__(
        self,
        objects: Objects,
        settings: MonitoringSettings,
        *,
        metrics: Metrics,
        clock: Callable[[], datetime],
        pauses: Sequence[float] = _PAUSES,
    ) -> None:
        self._objects, self._settings, self._metrics = objects, settings, metrics
        self._clock, self._pauses = clock, pauses
        self._receiver = Receiver(settings)
        self._deliveries = Deliveries(objects, settings.model)
        self._line: dict[Key, _Waiting] = {}
        self._told: set[Key] = set()
        self._attempt: _Attempt | None = None
        self._failures, self._detail, self._host = 0, "", ""
        self._last: datetime | None = None
        self._changed = threading.Condition()
        self._stopped = False
        self._thread: threading.Thread | None = None
        if self.on:
            for result in (DeliveryStatus.SENT, DeliveryStatus.FAILED, DeliveryStatus.GIVEN_UP):
                metrics.messages.labels(settings.model, result.value)

    @property
    def on(self) -> bool:
        """Whether anybody is told anything."""
        return self._settings.notify_url is not None or self._settings.notify_url_file is not None

    @property
    def state(self) -> MessageState | None:
        """How it goes, for the status page; None while nobody is told anything."""
        if not self.on:
            return None
        with self._changed:
            return MessageState(
                receiver=self._host,
                waiting=len(self._line),
                failures=self._failures,
                detail=self._detail,
                last_sent=self._last,
            )

    def step(self, incidents: Sequence[Incident], ahead: tuple[Ahead, ...], *, leads: bool) -> None:
        """Line up what people have not been told; does no input or output.

        Parameters
        ----------
        incidents
            Newest first.
        ahead
            What happens next, as the page has it.
        leads
            Whether this monitor acts; one that stands by tells nobody, and forgets what it had.
        """
        if not self.on:
            return
        with self._changed:
            if not leads:
                self._line.clear()
                self._told.clear()
                self._show_waiting()
                return
            for waiting in self._new(incidents, ahead):
                if len(self._line) >= MOST_WAITING:
                    break
                self._line[waiting.key] = waiting
                self._told.add(waiting.key)
            self._show_waiting()
            self._changed.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="notifier", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop sending; what is in line is sent after the next start."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(_STOP_SECONDS)

    def _new(self, incidents: Sequence[Incident], ahead: tuple[Ahead, ...]) -> list[_Waiting]:
        """Return what has not been lined up, oldest first, and forget what is too old to be."""
        horizon = self._clock() - PATIENCE
        recent = [each for each in incidents if each.events and each.events[-1].time >= horizon]
        found = [
            _Waiting(incident, turn, ahead)
            for incident in recent
            for turn in turns(incident, self._settings.notify_on)
            if turn.events[0].time >= horizon
        ]
        self._told &= {waiting.key for waiting in found}
        new = [waiting for waiting in found if waiting.key not in self._told]
        return sorted(new, key=lambda waiting: waiting.turn.events[0].time)

    def _show_waiting(self) -> None:
        self._metrics.messages_waiting.labels(self._settings.model).set(len(self._line))

    # -- the thread

    def _run(self) -> None:
        pause = 0.0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopped, pause)
                self._changed.wait_for(lambda: self._stopped or self._line)
                if self._stopped:
                    return
                first = next(iter(self._line.values()))
            try:
                pause = self._deliver(first)
            except StoreError as error:
                log.warning("store_failed", message=first.name, reason=str(error))
                pause = _STORE_PAUSE
            except Exception:  # outermost loop: a fault of ours must not hold up the others
                log.exception("message_left_out", message=first.name)
                pause = self._leave(first)

    def _deliver(self, waiting: _Waiting) -> float:
        """Send the message unless somebody did or does; return how long to wait afterwards."""
        if self._attempt is None or self._attempt.waiting.key != waiting.key:
            now, self._host = self._clock(), self._receiver.host
            head = self._deliveries.newest(*waiting.place)
            if head is not None and head.value.final:
                return self._leave(waiting)
            if head is not None and head.value.due is not None and head.value.due > now:
                left = (head.value.due - now).total_seconds()
                claimed = head.value.status is DeliveryStatus.SENDING
                return min(left, self._pauses[0]) if claimed else left
            try:
                claim = self._claim(waiting, head, now)
            except ConflictError:
                return 0.0
            receipt = self._receiver.send(self._compose(waiting))
            self._attempt = _Attempt(waiting, claim, receipt)
        return self._settle(self._attempt)

    def _claim(
        self, waiting: _Waiting, head: Generation[Delivery] | None, now: datetime
    ) -> Generation[Delivery]:
        incident, message = waiting.place
        claim = Delivery(
            incident=incident,
            message=message,
            occasion=waiting.turn.occasion.value,
            status=DeliveryStatus.SENDING,
            attempts=head.value.attempts + 1 if head else 1,
            time=now,
            due=now + _CLAIM,
            receiver=self._host,
        )
        return self._deliveries.advance(claim, after=head.number if head else 0)

    def _compose(self, waiting: _Waiting) -> Message:
        incident = waiting.incident
        reports = list_reports(self._objects, incident.model)
        newest = reports[0] if reports and reports[0].time >= incident.opened else None
        return compose(
            incident,
            waiting.turn,
            self._settings,
            ahead=waiting.ahead,
            now=self._clock(),
            report=newest,
        )

    def _settle(self, attempt: _Attempt) -> float:
        """Record what came of an attempt; where the store fails, that alone is tried again."""
        waiting, claim, receipt = attempt.waiting, attempt.claim, attempt.receipt
        now, status, due, pause = self._clock(), DeliveryStatus.SENT, None, 0.0
        if not receipt.sent:
            failures = min(self._failures, len(self._pauses) - 1)
            pause = max(self._pauses[failures], receipt.pause_seconds or 0.0)
            old = now - waiting.turn.events[0].time >= PATIENCE
            status = DeliveryStatus.GIVEN_UP if receipt.final or old else DeliveryStatus.FAILED
            due = None if status is DeliveryStatus.GIVEN_UP else now + timedelta(seconds=pause)
        update = {"status": status, "time": now, "due": due, "detail": receipt.detail}
        try:
            self._deliveries.advance(claim.value.model_copy(update=update), after=claim.number)
        except ConflictError:
            log.warning("message_claim_lost", message=waiting.name)
        self._attempt = None
        self._count(waiting, receipt, status)
        if status is not DeliveryStatus.FAILED:
            self._leave(waiting)
        return pause

    def _count(self, waiting: _Waiting, receipt: Receipt, status: DeliveryStatus) -> None:
        self._metrics.messages.labels(self._settings.model, status.value).inc()
        with self._changed:
            self._detail = receipt.detail
            if receipt.sent:
                self._failures, self._last = 0, self._clock()
            else:
                self._failures += 1
        tell = log.info if receipt.sent else log.warning
        said = {"occasion": waiting.turn.occasion.value, "detail": receipt.detail}
        tell(f"message_{status.value}", message=waiting.name, **said)

    def _leave(self, waiting: _Waiting) -> float:
        with self._changed:
            self._line.pop(waiting.key, None)
            self._show_waiting()
        return 0.0
