"""Nothing is broken: held-out real bars, and nobody may be woken."""

from __future__ import annotations

from itertools import islice
from typing import ClassVar

from typing_extensions import override

from plumbline.bundle.finding import Verdict
from plumbline.bundle.verdict import WELL
from plumbline.drills.drill import RATE, Drill, Observation
from plumbline.drills.errors import DrillError
from plumbline.drills.traffic import Traffic, seldom

BARS = 2_000


class Healthy(Drill):
    """Replays 2,000 bars that no training has seen."""

    name: ClassVar[str] = "healthy"
    expected: ClassVar[tuple[Verdict, ...]] = WELL

    @override
    async def carry_out(self, traffic: Traffic) -> Observation:
        bars = islice(self.system.questions(), BARS)
        self.tell(f"replaying {BARS} bars")
        await traffic.stream(bars, rate=RATE * 4, until=seldom(lambda: bool(self.new_incidents())))
        if incidents := self.new_incidents():
            return Observation(incidents[0].verdict, shortfalls=["a false alarm"])
        last = len(traffic.answers)
        await self.system.wait(
            lambda: (word := self.system.bulletin()) is not None and word.rows > 0,
            seconds=15,
            what="a first word of the monitor",
        )
        await self.settle(traffic)
        word = self.system.bulletin()
        if word is None:
            raise DrillError(f"the monitor said nothing in {last} predictions")
        return Observation(word.diagnosis.verdict)
