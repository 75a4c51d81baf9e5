"""One symbol of four is served wrongly; the others are sound, and so is the model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import ClassVar

from typing_extensions import override

from plumbline.bundle.array import FloatArray
from plumbline.drills.drill import RATE, Observation, Tell
from plumbline.drills.scenarios.windows import WindowDrill
from plumbline.drills.system import System
from plumbline.drills.traffic import SYMBOL, Question, Traffic
from plumbline.store.incident import Incident

SYMBOLS = (SYMBOL, "ALPHA", "BETA", "GAMMA")
"""The same bars under four names: to the model they are four symbols."""

BROKEN = SYMBOLS[-1]


class OneSymbol(WindowDrill):
    """Sends the windows of one symbol of four with the newest step first."""

    name: ClassVar[str] = "one-symbol"
    detection_limit: ClassVar[int | None] = 400

    def __init__(self, system: System, tell: Tell) -> None:
        super().__init__(system, tell)
        self._sound = self._interleaved()

    @override
    def sound(self) -> Iterator[Question]:
        return self._sound

    @override
    async def prepare(self, traffic: Traffic) -> None:
        await self.settle(traffic)
        steps = self.system.replay.window_length
        sound = islice(self._sound, len(SYMBOLS) * 2 * steps)
        await traffic.stream(sound, rate=4 * RATE, until=lambda: False)

    @override
    def spoil(self, window: FloatArray, position: int) -> FloatArray:
        return window[::-1].copy()

    @override
    def broken(self) -> Iterator[Question]:
        for question in self._sound:
            if question.symbol == BROKEN:
                yield replace(question, window=self.spoil(question.window, 0))
            else:
                yield question

    @override
    def observe(self, traffic: Traffic, incident: Incident, first: int) -> Observation:
        observation = super().observe(traffic, incident, first)
        if BROKEN not in incident.diagnosis.cause:
            observation.shortfalls.append(f"the cause does not name {BROKEN}")
        return observation

    def _interleaved(self) -> Iterator[Question]:
        for question in self.system.questions():
            for symbol in SYMBOLS:
                yield replace(question, symbol=symbol)
