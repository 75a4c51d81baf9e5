"""The monitor: look, judge, say, act; again and again.

One round reads the new rows and judges them (`Observer`), looks at the version in shadow
(`ShadowObserver`), asks the live service for its golden rows (`Canary`), joins outcomes with
predictions (`SkillDesk`), publishes the verdict for the service to repeat, lets the `Controller`
make its next moves, and launches drift reports. Only the monitor that leads publishes and acts; the
others keep watching, so that each can take over at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

import structlog

from plumbline.bundle.finding import Diagnosis, Verdict
from plumbline.monitoring.errors import SettingsError
from plumbline.monitoring.metrics import Metrics
from plumbline.monitoring.notification.notifier import Notifier
from plumbline.monitoring.page.builder import Round, StatusBuilder
from plumbline.monitoring.page.status import Status
from plumbline.monitoring.recompute import RecomputeWatch
from plumbline.monitoring.repair.controller import Controller, utc_now
from plumbline.monitoring.repair.launchers.base import Launcher
from plumbline.monitoring.repair.launchers.observed import ObservedLauncher
from plumbline.monitoring.repair.need import attempts_allowed
from plumbline.monitoring.repair.situation import Situation
from plumbline.monitoring.repair.triggers import TRIGGERS
from plumbline.monitoring.repair.triggers.base import Trigger
from plumbline.monitoring.repair.triggers.schedule import ScheduleTrigger
from plumbline.monitoring.reporter import Reporter
from plumbline.monitoring.settings import MonitoringSettings
from plumbline.monitoring.watching.canary import Canary
from plumbline.monitoring.watching.crowd import Crowd
from plumbline.monitoring.watching.judgement import Judgement
from plumbline.monitoring.watching.observer import Observation, Observer
from plumbline.monitoring.watching.shadow import ShadowObserver, ShadowState
from plumbline.monitoring.watching.skill.desk import SkillDesk
from plumbline.store.board import Bulletin, verdict_board
from plumbline.store.errors import ConflictError
from plumbline.store.incident import Incident
from plumbline.store.objects import Objects

_LONGEST_PAUSES = 8
"""As many pauses as usual lie at most between two rounds that fail."""

log = structlog.get_logger()


class Monitor:
    """Watches one model.

    Parameters
    ----------
    settings, objects
        What it has been told, and the store.
    launcher, report_launcher, recompute_launcher
        What runs retrains, what runs drift reports, and what computes inputs again; without the
        last, nobody does.
    metrics
        Where it counts; by default its own.
    clock
        Returns the present time, in UTC.
    """

    def __init__(
        self,
        settings: MonitoringSettings,
        objects: Objects,
        *,
        launcher: Launcher,
        report_launcher: Launcher,
        recompute_launcher: Launcher | None = None,
        metrics: Metrics | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.settings = settings
        self.objects = objects
        self.metrics = metrics or Metrics(model=settings.model)
        self._clock = clock
        self._observer = Observer(objects, settings, clock=clock)
        self._shadow = ShadowObserver(objects, settings, clock=clock)
        self._canary = Canary(settings, self.metrics)
        self._skill = SkillDesk(objects, settings.model, clock=clock)
        self._reporter = Reporter(settings, self._observed(report_launcher, "report"), self.metrics)
        self._recompute = RecomputeWatch(
            settings,
            recompute_launcher and self._observed(recompute_launcher, "recompute"),
            self.metrics,
        )
        self._board = verdict_board(objects, settings.model)
        self.controller = Controller(
            objects,
            settings,
            launcher=self._observed(launcher),
            triggers=build_triggers(settings),
            metrics=self.metrics,
            clock=clock,
        )
        self._notifier = Notifier(objects, settings, metrics=self.metrics, clock=clock)
        self._leads = False
        self._since = clock()
        self._said: Judgement | None = None
        self._in_shadow: ShadowState | None = None
        self._said_of = 0
        self._by_bars = False
        self._builder = StatusBuilder(settings, clock=clock)
        self.chronicle = self._builder.chronicle
        self.status = self._builder.empty()
        self.last_success: datetime | None = None

    def _observed(self, launcher: Launcher, kind: str | None = None) -> Launcher:
        return ObservedLauncher(launcher, self.metrics, kind=kind)

    def run(self, stop: threading.Event) -> None:
        """Go round until told to stop; nothing that goes wrong in a round ends the monitor."""
        pause = self.settings.poll_seconds
        try:
            while not stop.is_set():
                try:
                    self.step()
                    pause = self.settings.poll_seconds
                except Exception as error:  # outermost loop
                    log.exception("round_failed")
                    self.metrics.errors.labels(self.settings.model).inc()
                    failed = {"error": f"{type(error).__name__}: {error}", "time": self._clock()}
                    self.status = self.status.model_copy(update=failed)
                    pause = min(2 * pause, _LONGEST_PAUSES * self.settings.poll_seconds)
                stop.wait(pause)
        finally:
            self.close()
            log.info("monitor_stopped")

    def close(self) -> None:
        """Stop what runs beside the rounds, and let another monitor lead."""
        self._reporter.close()
        self._recompute.close()
        self._notifier.close()
        self.controller.close()

    def step(self) -> None:
        """Go round once.

        Raises
        ------
        StoreError
            If the store failed; nothing is lost, go round again.
        """
        model = self.settings.model
        self._leads = self.controller.leads()
        self.metrics.leader.labels(model).set(float(self._leads))
        if self._recompute.lifted() and self._observer.watch is not None:
            self._observer.watch.forget()
        observation = self._observer.step()
        if observation is not None:
            self._take_in(observation)
        self.last_success = self._clock()
        self.metrics.last_success.labels(model).set(self.last_success.timestamp())
        self.status = self._build_status(observation)
        self._notifier.step(self.controller.docket.all, self.status.ahead, leads=self._leads)

    def _take_in(self, observation: Observation) -> None:
        champion, model = observation.champion, self.settings.model
        self._skill.step(champion.number, observation.bundle, observation.new)
        shadow = self._watch_shadow(observation)
        fault = self._canary.step(champion.number, observation.bundle, observation.fault)
        client = self._recompute.judgement(champion.value.version)
        for judgement in observation.judgements:
            said = _with_canary(_with_recomputed(judgement, client), fault)
            said = _with_skill(said, self._skill.judgement)
            self._say(observation, said, by_bars=said.diagnosis == client)
            situation = Situation(
                model,
                champion,
                said,
                observation.until,
                observation.live,
                shadow=shadow,
                bars=observation.bars,
                served=observation.served,
            )
            self._leads = self.controller.step(situation)
        self.metrics.rows.labels(model).inc(observation.rows)
        if observation.lag_seconds is not None:
            self.metrics.lag.labels(model).set(observation.lag_seconds)
        self._show_watch(champion.value.version, shadow.version if shadow else None)
        if self._leads:
            rows = observation.judgement.rows
            self._reporter.step(champion.value.version, rows)
            if observation.bundle is not None:
                self._recompute.step(observation.bundle, observation.judgement)

    def _show_watch(self, version: str, shadow: str | None) -> None:
        """Show what was checked of the version that serves, and forget those that serve no more."""
        model, watch = self.settings.model, self._observer.watch
        if watch is not None:
            watched = watch.bundle.version
            columns = len(watch.bundle.manifest.feature_names)
            self.metrics.show_drift(model, watched, columns, _drifted(watch.measured))
            self.metrics.count_audit(model, watched, watch.tally)
        serving = {version} if shadow is None else {version, shadow}
        self.metrics.forget_versions(
            serving, self._clock(), self.settings.version_retention_seconds
        )

    def _show_incidents(self, observation: Observation | None) -> None:
        """Show the newest incident about which something may still be done, and who is awaited."""
        open_ones, settings = self.controller.docket.open, self.settings
        newest = open_ones[-1].value if open_ones else None
        allowed = attempts_allowed(newest, settings) if newest else settings.attempt_limit
        self.metrics.show_incidents(
            settings.model, tuple(head.value for head in open_ones), allowed=allowed
        )
        if observation is not None:
            called = [head.value for head in open_ones if head.value.called_for]
            given_up = self._given_up(observation)
            if given_up is not None and not (self._said and self._said.diagnosis.sound):
                called.append(given_up)
            reasons = {incident.called_for or incident.verdict.value for incident in called}
            version = observation.champion.value.version
            self.metrics.show_awaited(settings.model, version, reasons)

    def _given_up(self, observation: Observation | None) -> Incident | None:
        if observation is None:
            return None
        return self.controller.docket.given_up(observation.champion.value)

    def _watch_shadow(self, observation: Observation) -> ShadowState | None:
        self._in_shadow = state = self._shadow.step(observation)
        model = self.settings.model
        if state is None:
            self.metrics.show_shadow(model, None, 0, None)
        else:
            self.metrics.show_shadow(model, state.version, state.rows, state.agreement)
        return state

    def _say(self, observation: Observation, judgement: Judgement, *, by_bars: bool) -> None:
        """Publish a verdict: as metrics at once, on the board if it differs from what is there."""
        version, diagnosis = observation.champion.value.version, judgement.diagnosis
        before = self._said.diagnosis.verdict if self._said else None
        if before is not diagnosis.verdict or self._said_of != observation.champion.number:
            self._since = self._clock()
            log.info("verdict_changed", version=version, verdict=diagnosis.verdict.value)
        if before is not diagnosis.verdict and diagnosis.verdict is not Verdict.INSUFFICIENT_DATA:
            self._reporter.ask()
        self._said, self._said_of = judgement, observation.champion.number
        self.metrics.show_verdict(self.settings.model, version, diagnosis.verdict)
        self.metrics.show_evidence(self.settings.model, version, judgement.evidence)
        self.metrics.show_skill(self.settings.model, self._skill.report)
        if self._leads:
            self._publish(version, diagnosis, judgement.rows, by_bars=by_bars)

    def _publish(self, version: str, diagnosis: Diagnosis, rows: int, *, by_bars: bool) -> None:
        last = self._board.newest()
        open_ones = self.controller.docket.open
        incident = open_ones[-1].value.id if open_ones else None
        if last is not None:
            said = last.value
            same = (said.version, said.diagnosis.verdict) == (version, diagnosis.verdict)
            if same and said.incident == incident and by_bars == self._by_bars:
                return
        bulletin = Bulletin(
            version=version, diagnosis=diagnosis, time=self._clock(), incident=incident, rows=rows
        )
        try:
            self._board.advance(bulletin, after=last.number if last else 0)
            self._by_bars = by_bars
        except ConflictError:
            log.info("bulletin_conflicted", version=version)

    def _build_status(self, observation: Observation | None) -> Status:
        if not self._leads:
            self.controller.docket.refresh()
        self._show_incidents(observation)
        return self._builder.build(
            Round(
                leads=self._leads,
                observation=observation,
                watch=self._observer.watch,
                said=self._said,
                shadow=self._in_shadow,
                since=self._since,
                canary=self._canary.last,
                skill=self._skill.report,
                drift=self._reporter.last,
                incidents=tuple(self.controller.docket.all),
                given_up=self._given_up(observation),
                recomputed=self._recompute.last,
                last_retrain=self.controller.docket.last_retrain,
                messages=self._notifier.state,
                due=self._due(),
            )
        )

    @property
    def crowd(self) -> Crowd | None:
        """Whose predictions those of the present version are; None while nothing is watched."""
        watch = self._observer.watch
        return None if watch is None else watch.crowd

    def _due(self) -> dict[str, float]:
        """Return in how many seconds what goes by the clock is due, by what it is."""
        due = {}
        if self.settings.service_url:
            due["The next canary"] = self._canary.seconds_left
        if self._leads:
            due["The next drift report"] = self._reporter.seconds_left
            if self._recompute.last is not None:
                due["Inputs are computed again"] = self._recompute.seconds_left
        return due


def build_triggers(settings: MonitoringSettings) -> list[Trigger]:
    """Build the triggers that the settings name, in the order of `TRIGGERS`.

    Raises
    ------
    SettingsError
        If there is no trigger of such a name.
    """
    if unknown := sorted(set(settings.triggers) - set(TRIGGERS)):
        raise SettingsError(f"unknown triggers {unknown}; there are {sorted(TRIGGERS)}")
    built: list[Trigger] = []
    for name, kind in TRIGGERS.items():
        if name not in settings.triggers:
            continue
        params: dict[str, object] = {"cooldown": settings.cooldown_seconds}
        if kind is ScheduleTrigger:
            params |= {"every": settings.schedule_predictions, "bars": settings.schedule_bars}
        built.append(kind(kind.Params.model_validate(params)))
    return built


def _drifted(measured: Judgement) -> int | None:
    """Return how many columns have drifted; None where that has not been looked at."""
    found = [each for each in measured.diagnosis.findings if each.name == "drifted_columns_share"]
    return len(found[0].columns) if found else None


def _with_canary(judgement: Judgement, fault: Diagnosis | None) -> Judgement:
    """Return the canary's verdict in place of the stream's.

    Golden inputs are asked about whatever clients send, so broken inputs do not excuse the answers.
    """
    if fault is None:
        return judgement
    return judgement.replaced(fault)


def _with_recomputed(judgement: Judgement, fault: Diagnosis | None) -> Judgement:
    """Return what the bars say of the client, unless the stream has named another fault already.

    The same fault is told in the words of the bars: they know what every column should be, where
    the stream may have found only some of those that are wrong. Another one of the input came
    first, and one of the artefact holds whatever the client sends.
    """
    if fault is None:
        return judgement
    named = judgement.verdict.facts.of_input or judgement.verdict is Verdict.ARTEFACT_FAULT
    if named and judgement.verdict is not fault.verdict:
        return judgement
    return judgement.replaced(fault)


def _with_skill(judgement: Judgement, found: Diagnosis | None) -> Judgement:
    """Return what outcomes say in place of what the stream says, if nothing else is the matter."""
    if found is None or not judgement.verdict.facts.sized:
        return judgement
    return judgement.replaced(found, detected_after=found.n)
