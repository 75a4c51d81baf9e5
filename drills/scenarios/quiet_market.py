"""Real quiet nights: nine labels in ten say stay out, and the model is right to say so."""

from __future__ import annotations

from typing import ClassVar

import httpx
from typing_extensions import override

from plumbline.bundle.finding import Verdict
from plumbline.bundle.spec import OutputSpec
from plumbline.drills.drill import RATE, Drill, Observation
from plumbline.drills.errors import DrillError
from plumbline.drills.traffic import Question, Traffic, seldom

QUIET_SHARE = 0.90
MOSTLY = 0.80
"""Share of answers that must stay out; four seeds of the default experiment say it always."""
QUIET_HOURS = (20, 21, 22, 1, 2, 3)
LEAST = 200


class QuietMarket(Drill):
    """Replays the longest run of nights with 90 % of labels out of the market, then outcomes."""

    name: ClassVar[str] = "quiet-market"
    expected: ClassVar[tuple[Verdict, ...]] = (Verdict.HEALTHY,)

    @override
    async def carry_out(self, traffic: Traffic) -> Observation:
        await self.settle(traffic)
        output = self.system.champion().manifest.outputs[0]
        choices = output.choices
        out = choices.index(_out_of_market(output))
        replay = self.system.replay
        stretch = replay.quiet_stretch(out, QUIET_SHARE, hours=QUIET_HOURS, least=LEAST)
        bars = self.system.skip_to(stretch)
        questions = [Question(replay.window(each), replay.time(each)) for each in bars]
        first = len(traffic.answers)
        self.tell(f"replaying {len(questions)} quiet bars")
        await traffic.stream(questions, rate=RATE, until=seldom(lambda: bool(self.new_incidents())))
        answers = traffic.answers[first:]
        labels = [choices[replay.held_out_labels[position]] for position in stretch]
        await self._post_outcomes(traffic, [a.prediction_id for a in answers], labels)
        if incidents := self.new_incidents():
            return Observation(incidents[0].verdict, shortfalls=["a quiet market is no fault"])
        held = sum(answer.action == choices[out] for answer in answers) / len(answers)
        right = sum(a.action == label for a, label in zip(answers, labels, strict=True))
        self.tell(f"{choices[out]} {held:.0%}, right {right / len(answers):.0%}")
        shortfalls = []
        if held < MOSTLY:
            shortfalls.append(f"{choices[out]} {held:.0%} in a quiet market, expected {MOSTLY:.0%}")
        await self.settle(traffic)
        word = self.system.bulletin()
        if word is None:
            raise DrillError("the monitor said nothing")
        return Observation(word.diagnosis.verdict, shortfalls=shortfalls)

    async def _post_outcomes(self, traffic: Traffic, ids: list[str], labels: list[str]) -> None:
        outcomes = [
            {"prediction_id": name, "label": label}
            for name, label in zip(ids, labels, strict=False)
        ]
        response = await traffic.client.post("/outcomes", json={"outcomes": outcomes})
        if response.status_code != httpx.codes.OK:
            raise DrillError(f"the outcomes were refused: {response.text[:200]}")


def _out_of_market(output: OutputSpec) -> str:
    """Return the choice that holds nothing."""
    for choice, position in zip(output.choices, output.positions, strict=True):
        if position == 0:
            return choice
    raise DrillError(f"output {output.name}: a quiet market needs a choice with position 0")
