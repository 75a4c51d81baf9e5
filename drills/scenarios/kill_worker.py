"""kill -9 under load: what was acknowledged is in the log."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import ClassVar

from typing_extensions import override

from plumbline.bundle.finding import Verdict
from plumbline.bundle.verdict import WELL
from plumbline.drills.drill import Drill, Observation
from plumbline.drills.errors import DrillError
from plumbline.drills.process import workers_of
from plumbline.drills.traffic import Traffic

CONNECTIONS = 16
BEFORE_SECONDS = 3.0
AFTER_SECONDS = 5.0


class KillWorker(Drill):
    """Kills one worker while sixteen clients ask."""

    name: ClassVar[str] = "kill-worker"
    expected: ClassVar[tuple[Verdict, ...]] = WELL

    @override
    async def carry_out(self, traffic: Traffic) -> Observation:
        await self.settle(traffic)
        if self.system.service_pid is None:
            raise DrillError("the drill must run on the machine of the service")
        done = asyncio.Event()
        load = asyncio.create_task(
            traffic.load(self.system.questions(), connections=CONNECTIONS, until=done.is_set)
        )
        try:
            await asyncio.sleep(BEFORE_SECONDS)
            workers = workers_of(self.system.service_pid)
            if len(workers) < 2:
                raise DrillError(f"expected two workers or more, found {len(workers)}")
            self.tell(f"killing worker {workers[-1]} of {len(workers)}")
            os.kill(workers[-1], signal.SIGKILL)
            await asyncio.sleep(AFTER_SECONDS)
        finally:
            done.set()
            await load
        await self.settle(traffic)
        await self.system.wait(
            lambda: len(workers_of(self.system.service_pid or 0)) >= len(workers),
            seconds=30,
            what="the killed worker to be replaced",
        )
        if incidents := self.new_incidents():
            return Observation(incidents[0].verdict)
        word = self.system.bulletin()
        return Observation(word.diagnosis.verdict if word else Verdict.INSUFFICIENT_DATA)
