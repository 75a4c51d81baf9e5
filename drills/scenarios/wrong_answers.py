"""What the drills with a faulty server have in common: the answers are not the version's."""

from __future__ import annotations

from abc import abstractmethod
from itertools import islice
from typing import ClassVar

from typing_extensions import override

from plumbline.bundle.archive import Bundle
from plumbline.bundle.finding import Verdict
from plumbline.drills.drill import RATE, Drill, Observation
from plumbline.drills.rogue import open_rogue
from plumbline.drills.traffic import Traffic, open_traffic
from plumbline.store.incident import Incident, IncidentStatus


class WrongAnswersDrill(Drill):
    """Asks a second server of the same version that goes wrong; nobody may retrain for it."""

    expected: ClassVar[tuple[Verdict, ...]] = (Verdict.ARTEFACT_FAULT,)
    detection_limit: ClassVar[int | None] = 100

    @abstractmethod
    def answering(self, champion: Bundle) -> bytes | None:
        """Return the graph that answers instead; None for answers that depend on nothing."""

    @override
    async def carry_out(self, traffic: Traffic) -> Observation:
        await self.settle(traffic)
        champion = self.system.champion()
        async with open_rogue(self.system, self.answering(champion)) as rogue:
            async with open_traffic(rogue.url) as other:
                steps = self.system.replay.window_length
                sound = islice(self.system.questions(), 2 * steps)
                await other.stream(sound, rate=2 * RATE, until=lambda: False)
                first = len(other.answers)
                self.tell("the second server goes wrong")
                rogue.go_wrong()
                incident = await self.watch(other)
                observation = self.observe(other, incident, first)
                rogue.go_right()
                self.tell(f"{incident.verdict} after {observation.detected_after}")
                await self._put_back(other, incident, champion)
            traffic.answers += other.answers
            traffic.requests += other.requests
            traffic.failures += other.failures
        await self.settle(traffic)
        return observation

    async def _put_back(self, other: Traffic, incident: Incident, champion: Bundle) -> None:
        """Let the incident end, and serve the version again that was never at fault.

        Where there was a version to go back to, it serves now; where there was none, a person has
        been called and nothing is done about this version until somebody has acted.
        """
        ended = await self.recover(other, incident)
        called = ended.status is IncidentStatus.CALLED
        if called or self.system.champion().version != champion.version:
            self.tell("the operator promotes the version again")
            await self.promote(other, champion.version)
