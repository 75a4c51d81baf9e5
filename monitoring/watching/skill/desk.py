"""Reads outcomes for the version that serves, and keeps the watch over its skill."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog

from plumbline.bundle.archive import Bundle
from plumbline.bundle.finding import Diagnosis
from plumbline.bundle.moment import microseconds, moment_of
from plumbline.monitoring.watching.skill.report import SkillReport
from plumbline.monitoring.watching.skill.watch import SkillWatch
from plumbline.store.objects import Objects
from plumbline.store.outcome import OutcomeLog
from plumbline.store.prediction import PredictionBatch

ROUND = 20_000
"""About how many outcomes are read in one round."""

log = structlog.get_logger()


class SkillDesk:
    """The watch over the champion's skill; begins anew with every promotion.

    Outcomes are read from the answer to the first prediction on, so that a monitor that starts
    again knows what it knew.

    Parameters
    ----------
    objects, model
        The store, and whose outcomes.
    clock
        Returns the present time, in UTC.
    """

    def __init__(self, objects: Objects, model: str, *, clock: Callable[[], datetime]) -> None:
        self._objects, self._model, self._clock = objects, model, clock
        self._generation = 0
        self._watch: SkillWatch | None = None
        self._log: OutcomeLog | None = None

    def step(self, generation: int, bundle: Bundle | None, rows: PredictionBatch) -> None:
        """Take the champion's new rows and the outcomes that have come.

        Raises
        ------
        StoreError
            If the store failed; nothing is lost, go on.
        """
        if generation != self._generation:
            self._generation, self._log = generation, None
            self._watch = None if bundle is None else SkillWatch(bundle)
        if self._watch is None:
            return
        self._watch.feed(rows)
        if self._log is None and len(rows):
            self._log = OutcomeLog(
                self._objects,
                self._model,
                since=moment_of(int(rows.time.min())),
                clock=lambda: self._clock().timestamp(),
            )
        if self._log is not None:
            self._watch.outcomes(self._log.read_new(ROUND))
            self._watch.settle(microseconds(self._clock()))

    @property
    def judgement(self) -> Diagnosis | None:
        """What outcomes say is the matter; None as long as that is nothing."""
        return None if self._watch is None else self._watch.judgement()

    @property
    def report(self) -> SkillReport | None:
        """What outcomes have shown; None before a version is watched."""
        return None if self._watch is None else self._watch.report
