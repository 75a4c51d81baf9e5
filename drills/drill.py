"""The base of all drills: break something, watch what is said and done, count what was lost."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import ClassVar

from plumbline.bundle.finding import Verdict
from plumbline.drills.errors import DrillError
from plumbline.drills.result import DrillResult
from plumbline.drills.system import System, seconds_between
from plumbline.drills.traffic import Question, Traffic, open_traffic, seldom
from plumbline.store.incident import EventKind, Incident, IncidentStatus

RATE = 50.0
"""Predictions a second while the system watches."""
PATIENT_RATE = 8.0
"""Predictions a second while it repairs itself, so that the repair has the machine."""
RECOVERY_SECONDS = 180.0
DETECTION_SECONDS = 60.0
_LOG_SECONDS = 20.0

Tell = Callable[[str], None]


@dataclass
class Observation:
    """What a drill saw; the base class adds what the log and the incident book say."""

    verdict: Verdict
    detected_after: int | None = None
    recovered_seconds: float | None = None
    retrains: int = 0
    shortfalls: list[str] = field(default_factory=list)


class Drill(ABC):
    """One way to break a running system.

    Subclasses say which verdicts are right and how often a retrain must follow, and carry out the
    drill; nothing is lost and nothing fails in any of them.
    """

    name: ClassVar[str]
    expected: ClassVar[tuple[Verdict, ...]]
    retrains: ClassVar[int] = 0
    detection_limit: ClassVar[int | None] = None

    def __init__(self, system: System, tell: Tell) -> None:
        self.system = system
        self.tell = tell
        self._known: frozenset[str] = frozenset()

    @abstractmethod
    async def carry_out(self, traffic: Traffic) -> Observation:
        """Break it, wait for the verdict, put back what the system does not put back itself."""

    async def run(self) -> DrillResult:
        """Carry out the drill and report; a drill that cannot go on reports that as a shortfall."""
        started, began = datetime.now(UTC), time.monotonic()
        self._known = frozenset(head.value.id for head in self.system.incidents.all())
        async with open_traffic(self.system.service_url) as traffic:
            try:
                seen = await self.carry_out(traffic)
            except DrillError as error:
                word = self.system.bulletin()
                verdict = word.diagnosis.verdict if word else Verdict.INSUFFICIENT_DATA
                seen = Observation(verdict, shortfalls=[str(error)])
            logged = await self._count_logged(traffic, started)
        retrains = self._count_retrains()
        return DrillResult(
            name=self.name,
            expected="|".join(self.expected),
            verdict=seen.verdict,
            detected_after_predictions=seen.detected_after,
            retrains=retrains,
            recovered_seconds=seen.recovered_seconds,
            requests=traffic.requests,
            failed_requests=len(traffic.failures),
            rows_acknowledged=len(traffic.answers),
            rows_in_log=logged,
            seconds=round(time.monotonic() - began, 1),
            shortfalls=tuple(self._shortfalls(seen, traffic, logged, retrains)),
        )

    def sound(self) -> Iterator[Question]:
        """Yield the next bars as a sound client sends them."""
        return self.system.questions()

    def new_incidents(self) -> list[Incident]:
        """Return the incidents opened since the drill began."""
        return self.system.open_incidents(self._known)

    async def watch(self, traffic: Traffic, version: str | None = None) -> Incident:
        """Send bars until the monitor opens an incident, of this version if one is named."""
        found: list[Incident] = []
        deadline = time.monotonic() + DETECTION_SECONDS

        def detected() -> bool:
            found[:] = [
                incident for incident in self.new_incidents() if version in (None, incident.version)
            ]
            return bool(found) or time.monotonic() > deadline

        await traffic.stream(self.system.questions(), rate=RATE, until=seldom(detected))
        if not found:
            raise DrillError(f"nothing was noticed within {DETECTION_SECONDS:.0f} s")
        return found[0]

    async def recover(
        self, traffic: Traffic, incident: Incident, *, seconds: float = 2 * RECOVERY_SECONDS
    ) -> Incident:
        """Send sound bars until the incident is no longer open, and return how it ended."""
        deadline = time.monotonic() + seconds
        state = incident
        while not state.ended:
            if time.monotonic() > deadline:
                raise DrillError(f"incident {incident.id} did not end: {state.status}")
            self.tell(state.status.value)
            busy = state.status in (IncidentStatus.RETRAINING, IncidentStatus.RECALIBRATING)
            rate = PATIENT_RATE if busy else RATE
            second = islice(self.sound(), int(rate))
            await traffic.stream(second, rate=rate, until=lambda: False)
            state = self.system.incidents.get(incident.id).value
        return state

    async def settle(self, traffic: Traffic, *, seconds: float = 60.0) -> None:
        """Send bars until the monitor says of the served version that it is well."""
        deadline = time.monotonic() + seconds

        def well() -> bool:
            return self._is_well() or time.monotonic() > deadline

        await traffic.stream(self.system.questions(), rate=RATE * 2, until=seldom(well))
        if not self._is_well():
            word = self.system.bulletin()
            raise DrillError(f"the system did not settle; the monitor says {word}")

    def observe(self, traffic: Traffic, incident: Incident, first: int) -> Observation:
        """Return the verdict, and after how many predictions from the answer ``first`` it came.

        Counted by the client that asked. The monitor's own count is no substitute: it begins where
        the monitor believes that the fault began.
        """
        ids = [answer.prediction_id for answer in traffic.answers[first:]]
        if incident.decided_by in ids:
            return Observation(incident.verdict, ids.index(incident.decided_by) + 1)
        row = incident.decided_by or "none"
        missing = f"the row that decided ({row}) is none of the {len(ids)} that were asked for"
        return Observation(incident.verdict, shortfalls=[missing])

    async def promote(self, traffic: Traffic, version: str) -> None:
        """Promote a version whatever its gate says, and wait until the service serves it."""
        actor = f"drill {self.name}"
        self.system.registry.promote(version, actor=actor, reason="a drill", force=True)
        deadline = time.monotonic() + 15.0
        while await self.system.served_version(traffic) != version:
            if time.monotonic() > deadline:
                raise DrillError(f"the service did not take up version {version}")
        await self._all_workers(version)

    async def _all_workers(self, version: str, *, asked: int = 20) -> None:
        """Wait until so many answers in a row, over new connections, name the version."""
        agreed = 0
        deadline = time.monotonic() + 15.0
        while agreed < asked and time.monotonic() < deadline:
            async with open_traffic(self.system.service_url) as fresh:
                same = await self.system.served_version(fresh) == version
            agreed = agreed + 1 if same else 0

    def _is_well(self) -> bool:
        word, head = self.system.bulletin(), self.system.registry.alias()
        if word is None or head is None or word.version != head.value.version:
            return False
        return word.diagnosis.verdict.facts.well

    def _count_retrains(self) -> int:
        events = [event for incident in self.new_incidents() for event in incident.events]
        return sum(event.kind is EventKind.RETRAIN_STARTED for event in events)

    async def _count_logged(self, traffic: Traffic, started: datetime) -> int:
        asked = {answer.prediction_id for answer in traffic.answers}
        deadline = time.monotonic() + _LOG_SECONDS
        while True:
            logged = self.system.log.read(start=started - timedelta(seconds=5))
            found = asked.intersection(logged.prediction_id.tolist())
            if len(found) == len(asked) or time.monotonic() > deadline:
                return len(found)
            await asyncio.sleep(0.5)

    def _shortfalls(
        self, seen: Observation, traffic: Traffic, logged: int, retrains: int
    ) -> list[str]:
        short = list(seen.shortfalls)
        if seen.verdict not in self.expected:
            short.append(f"the verdict was {seen.verdict}, expected {' or '.join(self.expected)}")
        if retrains != self.retrains:
            short.append(f"{retrains} retrains, expected {self.retrains}")
        limit = self.detection_limit
        if limit is not None and (seen.detected_after is None or seen.detected_after > limit):
            short.append(f"noticed after {seen.detected_after} predictions, expected {limit}")
        if seen.recovered_seconds is not None and seen.recovered_seconds > RECOVERY_SECONDS:
            short.append(f"recovery took {seen.recovered_seconds:.0f} s")
        if traffic.failures:
            short.append(f"{len(traffic.failures)} requests failed, first: {traffic.failures[0]}")
        if logged != len(traffic.answers):
            short.append(f"{len(traffic.answers) - logged} acknowledged rows are not in the log")
        return short


def recovery_of(incident: Incident) -> float | None:
    """Return the time from the verdict to recovery, in seconds."""
    return seconds_between(incident, EventKind.DIAGNOSED, EventKind.RECOVERED)
