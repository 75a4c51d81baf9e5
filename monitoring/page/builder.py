"""From what a round of the monitor has seen to the `Status` that people are shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from plumbline.diagnosis.exact.recomputed import Recomputed
from plumbline.monitoring.page.ahead import Prospect, look_ahead
from plumbline.monitoring.page.chronicle import Chronicle
from plumbline.monitoring.page.status import (
    MAX_INCIDENTS,
    CanaryState,
    ChallengerState,
    DriftState,
    Measurement,
    MessageState,
    Status,
    WatchState,
    evidence_states,
)
from plumbline.monitoring.reporter import ReportResult
from plumbline.monitoring.settings import MonitoringSettings
from plumbline.monitoring.watching.canary import CanaryReport
from plumbline.monitoring.watching.judgement import Judgement
from plumbline.monitoring.watching.observer import Observation, Watch
from plumbline.monitoring.watching.shadow import ShadowState
from plumbline.monitoring.watching.skill.report import SkillReport
from plumbline.store.incident import Incident

_PACED, _FEWEST = 20, 3
"""Points of a chart that the pace is read from."""

_SILENT, _PAUSE_SECONDS = 5, 60.0
"""Usual pauses, and seconds, without a prediction after which there is no pace."""


@dataclass(frozen=True)
class Round:
    """One round of the monitor.

    Attributes
    ----------
    leads
        Whether this monitor acts.
    observation, watch
        What was seen, and of which version; None without a champion that can be opened.
    shadow
        What is known of the version in shadow; None without one.
    said, since
        The verdict that was published, and since when it has been that one.
    canary, drift
        How the newest of each came back, if there was one.
    skill
        What outcomes have shown; None before a version is watched.
    incidents
        Newest first.
    given_up
        The one for which nothing more is tried on the version that serves, if there is one.
    recomputed
        What came of computing inputs again; None before that was done.
    last_retrain
        When a retrain was last started.
    messages
        How telling people goes; None where they are told nothing.
    due
        Seconds until what goes by the clock, by what it is.
    """

    leads: bool
    observation: Observation | None
    watch: Watch | None
    said: Judgement | None
    shadow: ShadowState | None
    since: datetime
    canary: CanaryReport | None
    skill: SkillReport | None
    drift: ReportResult | None
    incidents: tuple[Incident, ...]
    given_up: Incident | None = None
    recomputed: Recomputed | None = None
    last_retrain: datetime | None = None
    messages: MessageState | None = None
    due: Mapping[str, float] = field(default_factory=dict)


class StatusBuilder:
    """Builds the status of one model, round by round, and keeps the past of its charts.

    Parameters
    ----------
    settings
        Whose status, and what the monitor has been told.
    clock
        Returns the present time, in UTC.
    """

    def __init__(self, settings: MonitoringSettings, *, clock: Callable[[], datetime]) -> None:
        self._settings = settings
        self._clock = clock
        self._last_row: datetime | None = None
        self._lag: float | None = None
        self._drawn: tuple[object, WatchState] | None = None
        self.chronicle = Chronicle()

    def empty(self) -> Status:
        """Return the status before the first round."""
        return Status(model=self._settings.model, time=self._clock(), leads=False)

    def build(self, seen: Round) -> Status:
        """Return the status after a round."""
        observation, canary, drift = seen.observation, seen.canary, seen.drift
        if observation is not None and observation.lag_seconds is not None:
            self._lag, self._last_row = observation.lag_seconds, self._clock()
        if seen.watch is not None:
            self.chronicle.take(seen.watch, seen.watch.bundle.version, seen.watch.chart.points)
        return Status(
            model=self._settings.model,
            time=self._clock(),
            leads=seen.leads,
            watch=self._watch_state(seen),
            challenger=_challenger_state(seen.shadow),
            error=observation.fault if observation else None,
            lag_seconds=self._lag,
            last_row=self._last_row,
            canary=CanaryState(result=canary.result, detail=canary.detail) if canary else None,
            drift=(
                DriftState(version=drift.version, drifted=drift.drifted, columns=drift.columns)
                if drift
                else None
            ),
            skill=seen.skill,
            recomputed=seen.recomputed,
            incidents=seen.incidents[:MAX_INCIDENTS],
            ahead=look_ahead(self._prospect(seen)),
            messages=seen.messages,
        )

    def _watch_state(self, seen: Round) -> WatchState | None:
        """Return what is known of the version that is watched; the same while nothing is new."""
        if seen.observation is None or seen.watch is None or seen.said is None:
            return None
        said = seen.said
        judged = said.diagnosis, said.rows, said.evidence, seen.since, seen.watch.chart.newest
        known = seen.observation.champion, seen.watch, seen.watch.measured, seen.given_up, *judged
        if self._drawn is None or self._drawn[0] != known:
            left = seen.given_up is not None and not said.diagnosis.sized
            state = _watch_state(seen.observation, seen.watch, said, seen.since, given_up=left)
            self._drawn = known, state
        return self._drawn[1]

    def _prospect(self, seen: Round) -> Prospect:
        now, shadow = self._clock(), seen.shadow
        return Prospect(
            now=now,
            settings=self._settings,
            rows=seen.said.rows if seen.said else 0,
            bars=seen.observation.bars if seen.observation else 0,
            next_look=seen.watch.next_look if seen.watch else None,
            seconds_a_row=_pace(seen.watch, now),
            shadow_rows=shadow.rows if shadow else 0,
            shadow_since=shadow.challenger.value.time if shadow else None,
            last_retrain=seen.last_retrain,
            incidents=tuple(each for each in seen.incidents if not each.ended),
            given_up=seen.given_up,
            due={what: now + timedelta(seconds=left) for what, left in seen.due.items()},
        )


def _pace(watch: Watch | None, now: datetime) -> float | None:
    """Return how many seconds there are from one of the newest predictions to the next.

    None where there are too few, or where they have stopped coming.
    """
    points = list(watch.chart.points)[-_PACED:] if watch else []
    if len(points) < _FEWEST or points[-1].row == points[0].row:
        return None
    seconds = (points[-1].time - points[0].time).total_seconds()
    pace = seconds / (points[-1].row - points[0].row)
    silent = (now - points[-1].time).total_seconds()
    return pace if silent < max(_SILENT * pace, _PAUSE_SECONDS) else None


def _challenger_state(shadow: ShadowState | None) -> ChallengerState | None:
    """Return what is known of the version in shadow, if one is."""
    if shadow is None:
        return None
    target = shadow.challenger.value
    return ChallengerState(
        version=shadow.version,
        since=target.time,
        put_by=target.actor,
        reason=target.reason,
        incident=target.incident,
        rows=shadow.rows,
        silent=shadow.silent,
        pairs=shadow.pairs,
        agreement=shadow.agreement,
        distance=shadow.distance,
        diagnosis=shadow.judgement.diagnosis,
    )


def _watch_state(
    observation: Observation, watch: Watch, said: Judgement, since: datetime, *, given_up: bool
) -> WatchState:
    """Return what is known of the version that is watched."""
    champion, bundle, chart = observation.champion, watch.bundle, watch.chart
    target, reference = champion.value, bundle.reference
    return WatchState(
        version=target.version,
        generation=champion.number,
        promoted=target.time,
        promoted_by=target.actor,
        reason=target.reason,
        parent=bundle.manifest.parent,
        actions=chart.actions,
        reference_shares=chart.reference_shares,
        reference_spread=chart.reference_spread,
        reference_rows=len(reference),
        share_bands=chart.share_bands,
        spread_band=chart.spread_band,
        guaranteed=reference.guaranteed,
        rows=said.rows,
        diagnosis=said.diagnosis,
        since=since,
        given_up=given_up,
        evidence=evidence_states(said.evidence),
        measured=_measurement(said, watch),
        shifts=chart.shifts,
        points=tuple(chart.points),
        withheld=bundle.manifest.policy.withheld,
    )


def _measurement(said: Judgement, watch: Watch) -> Measurement:
    """Return the newest look, after what a canary, bars or outcomes have found."""
    looked = watch.measured
    own = said.diagnosis is watch.judgement.diagnosis
    others = () if own else said.diagnosis.findings
    return Measurement(
        rows=looked.rows,
        time=watch.measured_at,
        findings=(*others, *looked.diagnosis.findings),
        evidence=evidence_states(looked.evidence),
    )
