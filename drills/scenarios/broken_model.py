"""What the drills with a broken model have in common: a bundle goes wrong and the loop mends it."""

from __future__ import annotations

from abc import abstractmethod

from typing_extensions import override

from plumbline.bundle.archive import Bundle
from plumbline.drills.drill import Drill, Observation, recovery_of
from plumbline.drills.traffic import Traffic
from plumbline.store.incident import IncidentStatus


class BrokenModelDrill(Drill):
    """Serves a broken bundle until the loop has replaced it with a sound one."""

    @abstractmethod
    def break_bundle(self, champion: Bundle) -> Bundle:
        """Write the broken bundle to the store and return it."""

    @override
    async def carry_out(self, traffic: Traffic) -> Observation:
        await self.settle(traffic)
        broken = self.break_bundle(self.system.champion())
        self.tell("serving the broken bundle")
        await self.promote(traffic, broken.version)
        first = len(traffic.answers)
        incident = await self.watch(traffic, broken.version)
        observation = self.observe(traffic, incident, first)
        self.tell(f"{incident.verdict} after {observation.detected_after}")
        ended = await self.recover(traffic, incident)
        observation.recovered_seconds = recovery_of(ended)
        if ended.status is not IncidentStatus.RESOLVED:
            observation.shortfalls.append(f"the incident ended as {ended.status}")
        if self.system.champion().version == broken.version:
            observation.shortfalls.append("the broken bundle is still the champion")
        return observation
