"""From what a round of the monitor has seen to the `Status` that people are shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from plumbline.monitoring.page.shelf import RunShelf
from plumbline.monitoring.page.status import (
    MAX_INCIDENTS,
    MAX_REPORTS,
    CanaryState,
    ChallengerState,
    DriftState,
    ReportLink,
    RunLink,
    Status,
    WatchState,
    evidence_states,
)
from plumbline.monitoring.reporter import ReportResult
from plumbline.monitoring.watching.canary import CanaryReport
from plumbline.monitoring.watching.judgement import Judgement
from plumbline.monitoring.watching.observer import Observation, Watch
from plumbline.monitoring.watching.shadow import ShadowState
from plumbline.monitoring.watching.skill.report import SkillReport
from plumbline.store.incident import Incident
from plumbline.store.objects import Objects
from plumbline.store.report import list_reports

_REPORTS_PAUSE = timedelta(seconds=5)


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


class StatusBuilder:
    """Builds the status of one model, round by round.

    Parameters
    ----------
    model, objects
        Whose reports are listed, and where they lie.
    clock
        Returns the present time, in UTC.
    """

    def __init__(self, model: str, objects: Objects, *, clock: Callable[[], datetime]) -> None:
        self._model = model
        self._objects = objects
        self._clock = clock
        self._reports: tuple[ReportLink, ...] = ()
        self._shelf = RunShelf(objects, model)
        self._runs: tuple[RunLink, ...] = ()
        self._reports_due = clock()
        self._last_row: datetime | None = None
        self._lag: float | None = None

    def empty(self) -> Status:
        """Return the status before the first round."""
        return Status(model=self._model, time=self._clock(), leads=False)

    def build(self, seen: Round) -> Status:
        """Return the status after a round; raises `StoreError` if reports cannot be listed."""
        observation, canary, drift = seen.observation, seen.canary, seen.drift
        if observation is not None and observation.lag_seconds is not None:
            self._lag, self._last_row = observation.lag_seconds, self._clock()
        return Status(
            model=self._model,
            time=self._clock(),
            leads=seen.leads,
            watch=_watch_state(seen),
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
            incidents=seen.incidents[:MAX_INCIDENTS],
            reports=self._list_reports(),
            runs=self._runs,
        )

    def _list_reports(self) -> tuple[ReportLink, ...]:
        """Return the newest reports, runs with them; the store is asked now and then alone."""
        if self._clock() >= self._reports_due:
            self._reports_due = self._clock() + _REPORTS_PAUSE
            found = list_reports(self._objects, self._model)[:MAX_REPORTS]
            self._reports = tuple(
                ReportLink(name=report.name, kind=report.kind, time=report.time) for report in found
            )
            self._runs = self._shelf.links()
        return self._reports


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


def _watch_state(seen: Round) -> WatchState | None:
    """Return what is known of the version that is watched, if one is."""
    if seen.observation is None or seen.watch is None or seen.said is None:
        return None
    champion, bundle, chart = seen.observation.champion, seen.watch.bundle, seen.watch.chart
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
        guaranteed=reference.guaranteed,
        rows=seen.said.rows,
        diagnosis=seen.said.diagnosis,
        since=seen.since,
        evidence=evidence_states(seen.said.evidence),
        points=tuple(chart.points),
        withheld=bundle.manifest.policy.withheld,
    )
