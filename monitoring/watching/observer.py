"""Reading the log and judging it: the eyes of the monitor.

The champion alias is read first and the log after it. Rows settle for two seconds before they are
read, and a version is promoted before it serves, so the version a new row names is known here.

The log gives each row once. A round that fails after it was read leaves a watch that has taken some
rows and not others: it is thrown away, and the next round reads the same rows again from the
beginning, as after a restart. No row is passed over for an error.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import structlog

from plumbline.bundle.archive import Bundle
from plumbline.bundle.errors import BundleError
from plumbline.bundle.finding import Diagnosis, Verdict
from plumbline.bundle.moment import microseconds, moment_of
from plumbline.monitoring.settings import MonitoringSettings
from plumbline.monitoring.watching.audit.account import Others
from plumbline.monitoring.watching.audit.others import other_versions
from plumbline.monitoring.watching.audit.tally import Tally
from plumbline.monitoring.watching.chart import Chart
from plumbline.monitoring.watching.crowd import Crowd
from plumbline.monitoring.watching.handover import Handover
from plumbline.monitoring.watching.judgement import Judgement
from plumbline.monitoring.watching.stream import whole_groups
from plumbline.monitoring.watching.watcher import Watcher
from plumbline.store.acceptance import Acceptance, Acceptances
from plumbline.store.log import PredictionLog
from plumbline.store.objects import Objects
from plumbline.store.pointer import Generation
from plumbline.store.prediction import PREDICTIONS, PredictionBatch
from plumbline.store.registry import CHAMPION, AliasTarget, ModelRegistry
from plumbline.store.table import LogTable

_SLICE = 25
"""Rows judged between two points of the charts."""

_MOST_SLICES = 25
"""Of one round, so that a backlog is caught up in larger strides."""

_ROUND = 5_000
"""About how many rows are judged in one round, so that a backlog does not hold up the rest."""

_SETTLED = timedelta(seconds=5)
"""If no row is left to be read, all that were answered so long ago have been."""

log = structlog.get_logger()


@dataclass(frozen=True)
class Observation:
    """What one look at the store has shown.

    Attributes
    ----------
    champion
        The version that serves; for the observer of another alias, where that one points.
    bundle
        It, or None when it cannot be opened; ``fault`` says why.
    judgements
        The verdicts in the order they came; the last is the present one. Never empty.
    new
        Rows of that version that were new and finite.
    silent
        How many others were new.
    lag_seconds
        From the newest row's answer to its being judged; None without new rows.
    until
        End of the newest bar seen, if clients say which bar a window ends with.
    live
        From when to when rows with sound inputs were logged.
    bars
        How many bars were asked about since the promotion, each counted once.
    served
        Since when no other version has answered; None before its own first answer.
    """

    champion: Generation[AliasTarget]
    bundle: Bundle | None
    fault: str | None
    judgements: tuple[Judgement, ...]
    new: PredictionBatch
    silent: int
    lag_seconds: float | None
    until: datetime | None
    live: tuple[datetime, datetime] | None
    bars: int
    served: datetime | None

    @property
    def judgement(self) -> Judgement:
        """The present one."""
        return self.judgements[-1]

    @property
    def rows(self) -> int:
        """How many rows were new."""
        return len(self.new)


class Watch:
    """One version, watched since its promotion.

    Attributes
    ----------
    bundle, chart, crowd
        The version, its newest past, and whose rows they are.
    bars
        How many were asked about, each counted once; rows that name no bar are about none.
    measured, measured_at
        The newest look at findings and evidence together, and when its last row was answered.
    """

    def __init__(self, bundle: Bundle, *, live_rows: int, others: Others | None = None) -> None:
        self.bundle = bundle
        self.chart = Chart(bundle)
        self._watcher = Watcher(bundle, others=others)
        self._sound: deque[int] = deque(maxlen=live_rows)
        self._last_bar = -1
        self.bars = 0
        self.crowd = Crowd(bundle)
        self.measured = self._watcher.measured
        self.measured_at: datetime | None = None

    @property
    def judgement(self) -> Judgement:
        """The present verdict and its evidence."""
        return self._watcher.judgement

    @property
    def tally(self) -> Tally:
        """How many rows were checked by arithmetic, and how many came out otherwise."""
        return self._watcher.tally

    @property
    def next_look(self) -> int | None:
        """How many more rows there must be before findings are made anew; None while none are."""
        return self._watcher.next_look

    def accept_inputs(self, accepted: Acceptance) -> None:
        """Take the inputs that it covers as they are now for right."""
        self._watcher.accept_inputs(lambda scope: accepted.covers(client=scope[0], symbol=scope[1]))

    def forget(self) -> None:
        """Hold nothing that came so far against the model."""
        self._watcher.forget()
        self._sound.clear()

    def feed(self, rows: PredictionBatch) -> Iterator[Judgement]:
        """Judge rows of this version; yields each change of the verdict, in order."""
        for some in whole_groups(rows, max(_SLICE, len(rows) // _MOST_SLICES)):
            yield from self._watcher.feed(some)
            self.chart.add(some, self.judgement)
            self._remember(some)
        self.crowd.add(rows)

    def _remember(self, rows: PredictionBatch) -> None:
        if self._watcher.measured is not self.measured:
            self.measured, self.measured_at = self._watcher.measured, moment_of(int(rows.time[-1]))
        self.bars += len(np.unique(rows.bar_time[rows.bar_time > self._last_bar]))
        self._last_bar = max(self._last_bar, int(rows.bar_time.max()))
        if self.judgement.verdict.facts.of_input:
            self._sound.clear()
        else:
            self._sound.extend(rows.time.tolist())

    @property
    def until(self) -> datetime | None:
        """End of the newest bar."""
        if self._last_bar < 0:
            return None
        interval = timedelta(seconds=self.bundle.manifest.bar_interval_seconds)
        return moment_of(self._last_bar) + interval

    @property
    def live(self) -> tuple[datetime, datetime] | None:
        """From when to when rows with sound inputs were logged."""
        if not self._sound:
            return None
        return moment_of(self._sound[0]), moment_of(self._sound[-1] + 1)


class Observer:
    """Reads new rows and keeps the watch over the champion, or over the version in shadow.

    Parameters
    ----------
    objects, settings
        The store, and what it has been told.
    clock
        Returns the present time, in UTC.
    alias, table
        Whom to watch, and where its rows lie.
    """

    def __init__(
        self,
        objects: Objects,
        settings: MonitoringSettings,
        *,
        clock: Callable[[], datetime],
        alias: str = CHAMPION,
        table: LogTable = PREDICTIONS,
    ) -> None:
        self._objects = objects
        self._alias = alias
        self._table = table
        self._settings = settings
        self._clock = clock
        self._registry = ModelRegistry(objects, settings.model)
        self._log: PredictionLog | None = None
        self._generation = 0
        self._fault: str | None = None
        self._midway = False
        self._acceptances = Acceptances(objects, settings.model)
        self._accepted = 0
        self._handover: Handover | None = None
        self.watch: Watch | None = None

    def step(self) -> Observation | None:
        """Look at the store; returns None while the alias points at nothing."""
        if self._midway:
            log.warning("watch_begun_again", reason="a round failed between reading and judging")
            self._start_over()
        champion = self._registry.alias(self._alias)
        if champion is None:
            self._start_over()
            return None
        if champion.number != self._generation:
            self._begin(champion)
        read = self._read_new()
        self._midway = True
        observation = self._judge(champion, read)
        self._midway = False
        return observation

    def _start_over(self) -> None:
        self._log, self._generation, self.watch, self._midway = None, 0, None, False

    def _judge(self, champion: Generation[AliasTarget], read: PredictionBatch) -> Observation:
        """Feed what was read to the watch, and say what it has shown."""
        promoted = microseconds(champion.value.time)
        found = read.take((read.version == champion.value.version) & (read.time >= promoted))
        rows = found.take(np.asarray(np.isfinite(found.raw).all(axis=1)))
        watch = self.watch
        judgements: tuple[Judgement, ...] = (_nothing_known(str(self._fault)),)
        if watch is not None:
            changes = list(watch.feed(rows))
            self._heed_acceptances(watch, read)
            judgements = (*changes[:-1], watch.judgement)
        return Observation(
            champion=champion,
            bundle=watch.bundle if watch else None,
            fault=self._fault,
            judgements=judgements,
            new=rows,
            silent=len(found) - len(rows),
            lag_seconds=self._lag(rows),
            until=watch.until if watch else None,
            live=watch.live if watch else None,
            bars=watch.bars if watch else 0,
            served=self._served(read),
        )

    def _served(self, read: PredictionBatch) -> datetime | None:
        if self._handover is None:
            return None
        self._handover.take(read)
        since = self._handover.since
        return None if since is None else moment_of(since)

    def _heed_acceptances(self, watch: Watch, read: PredictionBatch) -> None:
        """Take inputs that somebody has accepted for right, once the rows until then are read.

        They are when there are none left, or when one that came later has been read.
        """
        until = int(read.time.max()) if len(read) else microseconds(self._clock() - _SETTLED)
        for each in self._acceptances.since(watch.bundle.version, after=self._accepted):
            if until < microseconds(each.value.time):
                return
            self._accepted = each.number
            watch.accept_inputs(each.value)

    def _begin(self, champion: Generation[AliasTarget]) -> None:
        """Begin a new watch: after a promotion, or after a restart of the monitor."""
        version = champion.value.version
        self.watch, self._fault, self._accepted = None, None, 0
        try:
            bundle = self._registry.open(version)
            others = other_versions(self._registry, bundle)
            self.watch = Watch(bundle, live_rows=self._settings.live_rows, others=others)
        except BundleError as error:
            self._fault = f"version {version} cannot be opened: {error}"
        if self._log is None:
            self._log = PredictionLog(
                self._objects,
                self._settings.model,
                since=self._resume_from(champion),
                table=self._table,
            )
        self._handover = Handover(version, microseconds(champion.value.time))
        self._generation = champion.number
        log.info("watch_begun", version=version, generation=champion.number, fault=self._fault)

    def _resume_from(self, champion: Generation[AliasTarget]) -> datetime:
        """Return the time since which the log must be read again to know what was known."""
        promoted, limit = champion.value.time, self._settings.resume_rows
        past = PredictionLog(self._objects, self._settings.model, table=self._table)
        rows = past.read(start=promoted, version=champion.value.version, limit=limit)
        return moment_of(int(rows.time[0])) if len(rows) and len(rows) == limit else promoted

    def _read_new(self) -> PredictionBatch:
        if self._log is None:
            raise RuntimeError("the log is opened when the first watch begins")
        return self._log.read_new(max_rows=_ROUND)

    def _lag(self, rows: PredictionBatch) -> float | None:
        if len(rows) == 0:
            return None
        return max(0.0, (self._clock() - moment_of(int(rows.time[-1]))).total_seconds())


def _nothing_known(cause: str) -> Judgement:
    diagnosis = Diagnosis(verdict=Verdict.INSUFFICIENT_DATA, cause=cause, findings=(), n=0)
    return Judgement(diagnosis=diagnosis, decided_by=None, detected_after=0, rows=0, evidence=())
