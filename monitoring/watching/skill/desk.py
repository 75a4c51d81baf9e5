"""Reads outcomes for the version that serves, and keeps the watch over its skill."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from plumbline.bundle.archive import Bundle
from plumbline.bundle.finding import Diagnosis
from plumbline.bundle.moment import microseconds, moment_of
from plumbline.monitoring.watching.skill.report import SkillReport
from plumbline.monitoring.watching.skill.watch import SkillWatch
from plumbline.store.errors import StoreError
from plumbline.store.objects import Objects
from plumbline.store.outcome import SKEW, OutcomeLog
from plumbline.store.prediction import PredictionBatch

ROUND = 20_000
"""About how many outcomes are read in one round."""

BACKLOG_ROWS, BACKLOG = 1_000, timedelta(seconds=30)
"""So many predictions at once, so old, are a backlog: outcomes wait until it is read."""

REPORT_PAUSE = timedelta(seconds=2)

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
        self._bundle: Bundle | None = None
        self._watch: SkillWatch | None = None
        self._log: OutcomeLog | None = None
        self._report: SkillReport | None = None
        self._reported = clock()

    def step(self, generation: int, bundle: Bundle | None, rows: PredictionBatch) -> None:
        """Take the champion's new rows and the outcomes that have come.

        A bundle that was opened anew means that its rows are read again from the first one.

        Raises
        ------
        StoreError
            If the store failed; nothing is lost, go on.
        """
        if generation != self._generation or bundle is not self._bundle:
            self._generation, self._bundle = generation, bundle
            self._log, self._report = None, None
            self._watch = None if bundle is None else SkillWatch(bundle)
        if self._watch is None:
            return
        self._watch.feed(rows)
        if self._log is None and len(rows):
            self._log = OutcomeLog(
                self._objects,
                self._model,
                since=moment_of(int(rows.time.min()) - SKEW),
                clock=lambda: self._clock().timestamp(),
            )
        if self._log is not None and not self._behind(rows):
            self._read(self._watch, self._log)

    def _read(self, watch: SkillWatch, outcomes: OutcomeLog) -> None:
        """Take the outcomes that have come; time goes on when there are no more for now."""
        try:
            batch = outcomes.read_new(ROUND)
        except StoreError as error:  # what was read of it comes with the next round
            log.warning("outcomes_not_read", reason=str(error))
            return
        watch.outcomes(batch)
        if len(batch) < ROUND:
            watch.settle(microseconds(self._clock()))

    def _behind(self, rows: PredictionBatch) -> bool:
        """Whether predictions are still to be read before their outcomes."""
        if len(rows) < BACKLOG_ROWS:
            return False
        return self._clock() - moment_of(int(rows.time[-1])) > BACKLOG

    @property
    def judgement(self) -> Diagnosis | None:
        """What outcomes say is the matter; None as long as that is nothing."""
        return None if self._watch is None else self._watch.judgement()

    @property
    def report(self) -> SkillReport | None:
        """What outcomes have shown, made anew now and then; None before a version is watched."""
        if self._watch is None:
            return None
        said = self._watch.judgement()
        told = self._report is not None and (said is None) == (self._report.verdict is None)
        if not told or self._clock() - self._reported >= REPORT_PAUSE:
            self._report, self._reported = self._watch.report, self._clock()
        return self._report
