"""Twenty swaps under load, one of them corrupt, and every answer from one whole version."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from itertools import cycle
from typing import ClassVar

import numpy as np
from typing_extensions import override

from plumbline.bundle.archive import Bundle
from plumbline.bundle.calibration import ChoiceCalibration
from plumbline.bundle.finding import Verdict
from plumbline.bundle.verdict import WELL
from plumbline.drills.drill import Drill, Observation
from plumbline.drills.errors import DrillError
from plumbline.drills.fault import run_graph, shifted_graph, with_graph, write_corrupt
from plumbline.drills.traffic import Answer, Traffic
from plumbline.store.pointer import Pointer
from plumbline.store.registry import CHAMPION, AliasTarget

SWAPS = 20
CORRUPT_AT = 10
CONNECTIONS = 16
_OFFSET = 0.5
_TOLERANCE = 1e-3


class SwapUnderLoad(Drill):
    """Swaps between twins whose parts would give the game away if they were ever mixed.

    The twin adds a constant to one logit in its graph and takes it away again in its calibration:
    the two answer alike, but one's graph with the other's calibration answers differently.
    """

    name: ClassVar[str] = "swap-under-load"
    expected: ClassVar[tuple[Verdict, ...]] = WELL

    @override
    async def carry_out(self, traffic: Traffic) -> Observation:
        await self.settle(traffic)
        champion = self.system.champion()
        twin = self._twin(champion, _OFFSET)
        done = asyncio.Event()
        load = asyncio.create_task(
            traffic.load(self.system.questions(), connections=CONNECTIONS, until=done.is_set)
        )
        first = len(traffic.answers)
        try:
            await self._swap(traffic, champion, twin)
        finally:
            done.set()
            await load
        observation = Observation(Verdict.HEALTHY)
        observation.shortfalls += self._mixed(traffic.answers[first:], (champion, twin))
        await self.promote(traffic, champion.version)
        await self.settle(traffic)
        if incidents := self.new_incidents():
            observation.verdict = incidents[0].verdict
        return observation

    async def _swap(self, traffic: Traffic, champion: Bundle, twin: Bundle) -> None:
        sides = cycle((twin, champion))
        for number in range(1, SWAPS + 1):
            self.tell(f"swap {number} of {SWAPS}")
            if number == CORRUPT_AT:
                await self._try_corrupt(traffic, champion)
                continue
            version = next(sides).version
            self.system.registry.promote(
                version, actor=f"drill {self.name}", reason="a drill", force=True
            )
            await self._served(traffic, version)

    async def _try_corrupt(self, traffic: Traffic, champion: Bundle) -> None:
        """Point the champion at a damaged bundle, which the service must refuse."""
        graph = shifted_graph(champion, np.full(champion.manifest.primary_output.width, 9.0))
        manifest, files = with_graph(champion, graph, drill=self.name)
        objects, registry = self.system.objects, self.system.registry
        version = write_corrupt(objects, manifest, files, name=registry.name)
        self._point_unchecked(version)
        await asyncio.sleep(2.0)
        if await self.system.served_version(traffic) == version:
            raise DrillError("the service took up a corrupt bundle")

    def _point_unchecked(self, version: str) -> None:
        """Move the alias as somebody would who writes to the bucket by hand."""
        registry = self.system.registry
        folder = f"models/{registry.name}/aliases/{CHAMPION}"
        pointer = Pointer(self.system.objects, folder, AliasTarget)
        head = pointer.newest()
        target = AliasTarget(
            version=version,
            previous=head.value.version if head else None,
            actor=f"drill {self.name}",
            reason="a drill",
            time=datetime.now(UTC),
        )
        pointer.advance(target, after=head.number if head else 0)

    async def _served(self, traffic: Traffic, version: str) -> None:
        for _ in range(150):
            if await self.system.served_version(traffic) == version:
                return
            await asyncio.sleep(0.1)
        raise DrillError(f"the service did not take up version {version}")

    def _twin(self, champion: Bundle, offset: float) -> Bundle:
        calibrations, primary = dict(champion.outputs.calibrations), champion.manifest.primary
        calibration = calibrations[primary]
        if not isinstance(calibration, ChoiceCalibration):
            raise DrillError(f"{self.name} shifts the logits of a choice, this is another kind")
        logit = np.zeros(len(calibration.bias))
        logit[-1] = offset
        back = np.asarray(calibration.bias) - logit / calibration.temperature
        calibrations[primary] = calibration.model_copy(update={"bias": tuple(back.tolist())})
        graph = shifted_graph(champion, logit)
        bundle = with_graph(champion, graph, drill=self.name, calibrations=calibrations)
        return self.system.registry.write(*bundle)

    def _mixed(self, answers: list[Answer], bundles: tuple[Bundle, ...]) -> list[str]:
        """Recompute a sample of the answers with the whole bundle each of them names."""
        short = []
        for bundle in bundles:
            named = [answer for answer in answers if answer.version == bundle.version][::10]
            if not named:
                short.append(f"no answer came from version {bundle.version}")
                continue
            windows = np.stack([answer.question.window for answer in named])
            (given,), primary = bundle.manifest.inputs, bundle.manifest.primary
            raw = run_graph(bundle.files["model.onnx"], bundle, {given.name: windows})
            expected = bundle.outputs.read(raw[primary])[primary].centre
            classes = bundle.manifest.primary_output.choices
            found = np.array([[a.probabilities[name] for name in classes] for a in named])
            wrong = int((np.abs(found - expected).max(axis=1) > _TOLERANCE).sum())
            if wrong:
                short.append(f"{wrong} answers of {bundle.version} are not that version's")
        unknown = {answer.version for answer in answers} - {b.version for b in bundles}
        return short + [f"answers from version {version}" for version in sorted(unknown)]
