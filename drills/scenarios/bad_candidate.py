"""A retrain that makes things no better: the gate refuses it, and a person is called, once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
"""A weight decay that leaves no weights, for two epochs."""


class BadCandidate(AlwaysHold):
    """Serves incident I1's logits with a configuration that yields a flat model.

    A retrain follows the version that serves, so the fault lies in that version's manifest.
    """

    name: ClassVar[str] = "bad-candidate"
    retrains: ClassVar[int] = ATTEMPTS

    @override
    def break_bundle(self, champion: Bundle) -> Bundle:
        return self.spoil(super().break_bundle(champion))

    def spoil(self, bundle: Bundle) -> Bundle:
        """Write the bundle with another configuration, which a retrain will follow."""
        training = bundle.manifest.training
        fit = training.get("fit")
        if not isinstance(fit, Mapping):
            raise DrillError(f"{bundle.version} holds no `fit` in its manifest to be spoilt")
        spoilt = {**training, "fit": {**fit, **SPOILT}}
        manifest = bundle.manifest.model_copy(update={"training": spoilt})
        return self.system.registry.write(manifest, bundle.files)

    @override
    async def carry_out(self, traffic: Traffic) -> Observation:
        await self.settle(traffic)
        healthy = self.system.champion()
        broken = self.break_bundle(healthy)
        try:
            self.tell("serving the broken bundle")
            await self.promote(traffic, broken.version)
            first = len(traffic.answers)
            incident = await self.watch(traffic, broken.version)
            observation = self.observe(traffic, incident, first)
            ended = await self.recover(traffic, incident)
            observation.shortfalls += self.check(ended, broken)
        finally:
            self.tell("the operator rolls back")
            await self.promote(traffic, healthy.version)
        await self.settle(traffic)
        return observation

    def check(self, ended: Incident, broken: Bundle) -> Iterator[str]:
        """Yield what fell short of how the incident should have ended."""
        kinds = [event.kind for event in ended.events]
        if ended.status is not IncidentStatus.CALLED:
            yield f"the incident ended as {ended.status}, expected called"
        if kinds.count(EventKind.CALLED) != 1:
            yield f"called {kinds.count(EventKind.CALLED)} times, expected once"
        if kinds.count(EventKind.CANDIDATE_REFUSED) != ATTEMPTS:
            yield f"{kinds.count(EventKind.CANDIDATE_REFUSED)} candidates refused"
        if self.system.champion().version != broken.version:
            yield "a refused candidate was promoted"
