"""A retrain that makes things no better: the gate refuses it, and a person is called, once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from typing_extensions import override

from plumbline.bundle.archive import Bundle
from plumbline.drills.drill import Observation
from plumbline.drills.errors import DrillError
from plumbline.drills.scenarios.always_hold import AlwaysHold
from plumbline.drills.traffic import Traffic
from plumbline.store.incident import EventKind, Incident, IncidentStatus

ATTEMPTS = 2
SPOILT = {"weight_decay": 1000.0, "epochs": 2}


class BadCandidate(AlwaysHold):
    """Serves incident I1's logits while retrains are configured to yield a flat model."""

    name: ClassVar[str] = "bad-candidate"
    retrains: ClassVar[int] = ATTEMPTS

    @override
    async def carry_out(self, traffic: Traffic) -> Observation:
        await self.settle(traffic)
        healthy = self.system.champion()
        broken = self.break_bundle(healthy)
        try:
            with self._spoilt_training():
                self.tell("serving the broken bundle")
                await self.promote(traffic, broken.version)
                first = len(traffic.answers)
                incident = await self.watch(traffic, broken.version)
                after = self.position_of(traffic, incident, first)
                ended = await self.recover(traffic, incident)
                observation = Observation(incident.verdict, after)
                observation.shortfalls += self._check(ended, broken)
        finally:
            self.tell("the operator rolls back")
            await self.promote(traffic, healthy.version)
        await self.settle(traffic)
        return observation

    def _check(self, ended: Incident, broken: Bundle) -> Iterator[str]:
        kinds = [event.kind for event in ended.events]
        if ended.status is not IncidentStatus.PAGED:
            yield f"the incident ended as {ended.status}, expected paged"
        if kinds.count(EventKind.PAGED) != 1:
            yield f"paged {kinds.count(EventKind.PAGED)} times, expected once"
        if kinds.count(EventKind.CANDIDATE_REFUSED) != ATTEMPTS:
            yield f"{kinds.count(EventKind.CANDIDATE_REFUSED)} candidates refused"
        if self.system.champion().version != broken.version:
            yield "a refused candidate was promoted"

    @contextmanager
    def _spoilt_training(self) -> Iterator[None]:
        """Set a weight decay that leaves no weights, for two epochs, while the drill lasts."""
        path = self.system.train_config
        if path is None:
            raise DrillError("the drill needs the file that configures the monitor's retrains")
        sound = path.read_text()
        spoilt = sound
        for name, value in SPOILT.items():
            spoilt, changed = re.subn(rf"(?m)^{name} *=.*$", f"{name} = {value}", spoilt)
            if not changed:
                raise DrillError(f"{path} sets no {name}, which this drill spoils")
        _replace(path, spoilt)
        try:
            yield
        finally:
            _replace(path, sound)


def _replace(path: Path, text: str) -> None:
    """Write a file in one step, so that no training reads half of it."""
    fresh = path.with_suffix(".fresh")
    fresh.write_text(text)
    fresh.replace(path)
