"""What the drills with a broken feed have in common: the model is sound, its inputs are not."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Iterator

from typing_extensions import override

from plumbline.drills.drill import DETECTION_SECONDS, RATE, Drill, Observation, recovery_of
from plumbline.drills.errors import DrillError
from plumbline.drills.traffic import Question, Traffic, seldom
from plumbline.store.incident import Incident


class FeedDrill(Drill):
    """Sends broken windows until it is noticed, then sound ones until all is well again."""

    @abstractmethod
    def broken(self) -> Iterator[Question]:
        """Yield the broken feed."""

    async def prepare(self, traffic: Traffic) -> None:
        """Send sound bars until all is well; a drill may send more before it breaks the feed."""
        await self.settle(traffic)

    async def mend(self, traffic: Traffic, incident: Incident) -> Incident:
        """Send sound bars until the incident has ended."""
        return await self.recover(traffic, incident)

    @override
    async def carry_out(self, traffic: Traffic) -> Observation:
        await self.prepare(traffic)
        champion = self.system.registry.alias()
        first = len(traffic.answers)
        deadline = time.monotonic() + DETECTION_SECONDS
        self.tell("breaking the feed")
        await traffic.stream(
            self.broken(),
            rate=RATE,
            until=seldom(lambda: bool(self.new_incidents()) or time.monotonic() > deadline),
        )
        if not (incidents := self.new_incidents()):
            raise DrillError("the broken feed was not noticed")
        incident = incidents[0]
        observation = self.observe(traffic, incident, first)
        self.tell(f"{incident.verdict}; mending the feed")
        ended = await self.mend(traffic, incident)
        observation.recovered_seconds = recovery_of(ended)
        if self.system.registry.alias() != champion:
            observation.shortfalls.append("the champion was changed for a fault of the feed")
        if len(self.new_incidents()) > 1:
            observation.shortfalls.append("more than one incident was opened")
        return observation
