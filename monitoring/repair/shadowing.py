"""Shadow before promotion: what is done with a candidate until it may answer clients.

The challenger alias says who is in shadow. The controller points it at a candidate that has passed
its gate, or a person points it at any version; the service answers a share of live requests with
it, unseen, and the monitor watches those answers as it does the champion's. What comes of it is an
`Opinion`: wait, promote, or refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from plumbline.bundle.errors import BundleError
from plumbline.monitoring.metrics import Metrics
from plumbline.monitoring.repair.docket import ACTOR
from plumbline.monitoring.repair.need import waits
from plumbline.monitoring.repair.opinion import WAIT, Opinion, Terms, opinion_of
from plumbline.monitoring.repair.situation import Situation
from plumbline.monitoring.settings import SHADOW_ROWS, MonitoringSettings
from plumbline.monitoring.watching.shadow import ShadowState
from plumbline.store.errors import ConflictError, NotFoundError, RefusedError
from plumbline.store.incident import Incident, Origin
from plumbline.store.objects import Objects
from plumbline.store.pointer import Generation
from plumbline.store.registry import CHALLENGER, AliasTarget, ModelRegistry

log = structlog.get_logger()


class Shadowing:
    """Puts versions in shadow, judges how they do there, and takes them out again.

    Parameters
    ----------
    objects, settings, metrics
        The store, what the monitor has been told, and where it counts.
    clock
        Returns the present time, in UTC.
    """

    def __init__(
        self,
        objects: Objects,
        settings: MonitoringSettings,
        *,
        metrics: Metrics,
        clock: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._registry = ModelRegistry(objects, settings.model)

    def skipped(self, version: str) -> str:
        """Say why a candidate needs no shadow, or nothing where it needs one.

        Raises
        ------
        BundleError, NotFoundError
            If its report cannot be read.
        """
        if self._settings.shadow_rows or self._parted(version):
            return ""
        return "shadow is skipped, since `shadow_rows` is 0"

    def begin(self, incident: Incident, version: str) -> bool:
        """Put a candidate in shadow, unless it is there; returns whether it is.

        It is not while another version is there, of a person's choice: that one goes first.

        Raises
        ------
        BundleError, NotFoundError, RefusedError, ConflictError
            As `ModelRegistry.promote`.
        """
        head = self._registry.alias(CHALLENGER)
        if head is None or head.value.incident is not None:
            if head is not None and head.value.version == version:
                return True
            self._registry.promote(
                version,
                actor=ACTOR,
                reason=f"it passed its gate; a repair of incident {incident.id}",
                alias=CHALLENGER,
                incident=incident.id,
            )
            return True
        return head.value.version == version

    def opinion(self, version: str, state: ShadowState | None) -> Opinion:
        """Say what comes of a version that was put in shadow."""
        head = self._registry.alias(CHALLENGER)
        if head is None or head.value.version != version:
            return Opinion(refused=self._taken_out())
        if state is None or state.challenger.number != head.number:
            return WAIT
        return self._judge(state)

    def end(self, version: str, reason: str, *, result: str, incident: str | None = None) -> None:
        """Take a version out of shadow, if it is there."""
        head = self._registry.alias(CHALLENGER)
        if head is not None and head.value.version == version:
            self._retire(head, reason, result, incident)

    def step(self, situation: Situation, open_ones: Sequence[Incident]) -> None:
        """Look after a challenger that no incident looks after.

        That of a person is promoted or retired by its opinion; one whose incident has gone on
        without it, or that serves by now, is retired.
        """
        state = situation.shadow
        if state is None:
            return
        target = state.challenger.value
        if target.version == situation.version:
            self._retire(state.challenger, "it serves", "ended", target.incident)
        elif target.incident is None:
            self._step_by_hand(situation, state)
        elif not any(
            incident.id == target.incident and incident.candidate == target.version
            for incident in open_ones
        ):
            self._retire(state.challenger, "its incident has ended", "ended", target.incident)

    def _step_by_hand(self, situation: Situation, state: ShadowState) -> None:
        if waits(Origin.ORDER, situation.diagnosis):
            return
        target, opinion = state.challenger.value, self._judge(state)
        if opinion.refused:
            self._retire(state.challenger, opinion.refused, "refused", None)
            return
        if not opinion.ready:
            return
        try:
            self._registry.promote(
                target.version,
                actor=ACTOR,
                reason=f"{opinion.note}; {target.actor} had put it in shadow: {target.reason}",
                expected=situation.champion.number,
                force=target.forced,
                shadow_rows=state.rows,
            )
        except ConflictError:
            return
        except (RefusedError, BundleError, NotFoundError) as error:
            self._retire(state.challenger, str(error), "refused", None)
            return
        self._retire(state.challenger, opinion.note, "promoted", None)

    def _judge(self, state: ShadowState) -> Opinion:
        """Form an opinion; one that a person put there has all the time in the world."""
        settings = self._settings
        by_hand = state.challenger.value.incident is None
        terms = Terms(
            rows=settings.shadow_rows or SHADOW_ROWS,
            seconds=None if by_hand else settings.shadow_seconds,
            binding=self._parted(state.version),
        )
        return opinion_of(state, terms, self._clock())

    def _parted(self, version: str) -> bool:
        """Whether candidate and champion part on the same windows, so that shadow must decide."""
        return self._registry.validation(version).parted

    def _taken_out(self) -> str:
        """Say who moved the challenger alias away from the version it pointed at."""
        last = self._registry.history(CHALLENGER)[-1].value
        what = "took it out of shadow" if last.retired else f"put {last.version} in its place"
        return f"{last.actor} {what}: {last.reason}"

    def _retire(
        self, head: Generation[AliasTarget], reason: str, result: str, incident: str | None
    ) -> None:
        try:
            self._registry.retire(
                actor=ACTOR, reason=reason, expected=head.number, incident=incident
            )
        except (ConflictError, NotFoundError):
            return
        self._metrics.shadows.labels(self._settings.model, result).inc()
        log.info("shadow_ended", version=head.value.version, result=result, reason=reason)
