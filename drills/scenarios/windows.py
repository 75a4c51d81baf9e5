"""What the drills with a wrong history have in common: it must have been right for a while."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import ClassVar

from typing_extensions import override

from plumbline.bundle.array import FloatArray
from plumbline.bundle.finding import Verdict
from plumbline.drills.drill import RATE
from plumbline.drills.scenarios.feed import FeedDrill
from plumbline.drills.traffic import Question, Traffic
from plumbline.store.acceptance import Acceptance, Acceptances
from plumbline.store.incident import Incident

HEARD_SECONDS = 5.0
"""In which windows that are right again should have been heard."""


class WindowDrill(FeedDrill):
    """Sends windows that the client makes wrongly from some bar on; the bars are right."""

    expected: ClassVar[tuple[Verdict, ...]] = (Verdict.SCHEMA_SKEW,)
    detection_limit: ClassVar[int | None] = 100

    @abstractmethod
    def spoil(self, window: FloatArray, position: int) -> FloatArray:
        """Return what the client makes of a window ``(t, f)``; a copy."""

    @override
    async def prepare(self, traffic: Traffic) -> None:
        await super().prepare(traffic)
        steps = self.system.replay.window_length
        sound = islice(self.system.questions(), 2 * steps)
        await traffic.stream(sound, rate=2 * RATE, until=lambda: False)

    @override
    async def mend(self, traffic: Traffic, incident: Incident) -> Incident:
        """Send sound windows; if they do not speak for themselves, the operator does.

        That a change has been undone is seen where a window that was logged whole spans it, and one
        in ten is. Otherwise somebody says so: `plumbline accept-inputs`.
        """
        deadline = time.monotonic() + HEARD_SECONDS

        def over() -> bool:
            ended = self.system.incidents.get(incident.id).value.ended
            return ended or time.monotonic() > deadline

        await traffic.stream(self.sound(), rate=RATE, until=over)
        if not self.system.incidents.get(incident.id).value.ended:
            self.tell("the operator accepts the inputs as they are now")
            accepted = Acceptance(
                version=incident.version,
                time=datetime.now(UTC),
                actor=f"drill {self.name}",
                reason="the client has been mended",
            )
            Acceptances(self.system.objects, self.system.model).accept(accepted)
        return await self.recover(traffic, incident)

    @override
    def broken(self) -> Iterator[Question]:
        for position in self.system.cursor:
            replay = self.system.replay
            window = self.spoil(replay.window(position).copy(), position)
            yield Question(window, replay.time(position))
