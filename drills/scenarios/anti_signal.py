"""Outcomes that say the opposite of what the model leans to: somebody turned a sign."""

from __future__ import annotations

from itertools import islice
from typing import ClassVar

import httpx
import numpy as np
from typing_extensions import override

from plumbline.bundle.finding import Verdict
from plumbline.bundle.spec import OutputSpec
from plumbline.drills.drill import RATE, Drill, Observation
from plumbline.drills.errors import DrillError
from plumbline.drills.traffic import Answer, Traffic, seldom
from plumbline.store.incident import IncidentStatus

BARS = 600


class AntiSignal(Drill):
    """Answers real bars, then posts outcomes that are true but for their side.

    Where the market stood still the outcome says so. Where it moved, it says the side that the
    model leaned away from. Nothing is wrong with the stream, so only the outcomes can tell.
    """

    name: ClassVar[str] = "anti-signal"
    expected: ClassVar[tuple[Verdict, ...]] = (Verdict.ANTI_SIGNAL,)

    @override
    async def carry_out(self, traffic: Traffic) -> Observation:
        await self.settle(traffic)
        champion, head = self.system.champion(), self.system.registry.alias()
        first = len(traffic.answers)
        self.tell(f"asking about {BARS} bars")
        bars = islice(self.system.questions(), BARS)
        await traffic.stream(bars, rate=4 * RATE, until=seldom(lambda: bool(self.new_incidents())))
        output = champion.manifest.primary_output
        outcomes = self._turned(traffic.answers[first:], output)
        response = await traffic.client.post("/outcomes", json={"outcomes": outcomes})
        if response.status_code != httpx.codes.OK:
            raise DrillError(f"the outcomes were refused: {response.text[:200]}")
        self.tell(f"posted {len(outcomes)} outcomes")
        incident = await self.watch(traffic)
        observation = Observation(incident.verdict)
        if incident.status is not IncidentStatus.CALLED:
            observation.shortfalls.append(f"the incident is {incident.status}, expected called")
        if self.system.registry.alias() != head:
            observation.shortfalls.append("the champion was changed for what outcomes say")
        self.tell(f"{incident.verdict}; the sign is put right, the operator promotes again")
        await self.promote(traffic, champion.version)
        await self.settle(traffic)
        if len(self.new_incidents()) > 1:
            observation.shortfalls.append("more than one incident was opened")
        return observation

    def _turned(self, answers: list[Answer], output: OutputSpec) -> list[dict[str, str]]:
        """Return an outcome of each answer whose bar has one."""
        replay, choices = self.system.replay, output.choices
        sides = dict(zip(choices, output.positions, strict=True))
        rises = next(name for name, side in sides.items() if side > 0)
        falls = next(name for name, side in sides.items() if side < 0)
        leans = [
            each.probabilities[rises] / (each.probabilities[rises] + each.probabilities[falls])
            for each in answers
        ]
        usual = float(np.median(leans))
        outcomes = []
        for answer, lean in zip(answers, leans, strict=True):
            true = replay.label(answer.question.time)
            if true < 0:
                continue
            label = choices[true]
            if sides[label] != 0:
                label = falls if lean > usual else rises
            outcomes.append({"prediction_id": answer.prediction_id, "label": label})
        return outcomes
