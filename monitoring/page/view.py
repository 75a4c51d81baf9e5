"""The status page and its sisters: what the monitor knows, drawn for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from plumbline.bundle.finding import Finding, Level, Verdict
from plumbline.monitoring.page import reading, sentence
from plumbline.monitoring.page.chronicle import RANGES, Instant
from plumbline.monitoring.page.figures import draw
from plumbline.monitoring.page.holdings import ReportLink
from plumbline.monitoring.page.login import Login
from plumbline.monitoring.page.overview import ModelLine
from plumbline.monitoring.page.status import Status, WatchState
from plumbline.monitoring.page.template import environment
from plumbline.store.incident import EventKind

FIRST_RANGE = "1h"
"""Shown where the reader has chosen none, once there has been so much."""

YOUNG_RANGE = "all"
_GRAVE = frozenset(
    {EventKind.CALLED, EventKind.ATTEMPT_FAILED, EventKind.CANDIDATE_REFUSED, EventKind.ROLLED_BACK}
)
_WORST = (Level.FAIL, Level.WARN, Level.INSUFFICIENT, Level.PASS)


@dataclass(frozen=True)
class Visit:
    """What one reader sees beside the status.

    Attributes
    ----------
    range, chosen, past
        Of the charts: a name of `RANGES`, the same if the reader has chosen it, and its points.
    login
        Who is signed in, if anybody.
    possible
        Whether somebody could sign in.
    notice, refused
        What has come of the reader's order, and whether it was refused.
    """

    range: str = FIRST_RANGE
    chosen: str = ""
    past: tuple[Instant, ...] = ()
    login: Login | None = None
    possible: bool = False
    notice: str = ""
    refused: bool = False


def render(status: Status, visit: Visit) -> str:
    """Return the whole status page."""
    return _render("status.html", status, visit)


def render_live(status: Status, visit: Visit) -> str:
    """Return the part of it that the page fetches again every second."""
    return _render("live.html", status, visit)


def render_overview(
    models: Sequence[ModelLine], own: str, now: datetime, *, whole: bool = True
) -> str:
    """Return the page of all models, or its live part; ``own`` is what this monitor watches."""
    lines = [(model, _tone_of(model)) for model in models]
    template = "models.html" if whole else "models_live.html"
    return environment().get_template(template).render(models=lines, own=own, now=now)


def render_reports(model: str, reports: Sequence[ReportLink]) -> str:
    """Return the page of all reports of a model."""
    return environment().get_template("reports.html").render(model=model, reports=reports)


def tone(watch: WatchState | None) -> str:
    """Return the colour of the verdict: well, calm or bad; the page adds a shape to each."""
    return _tone(Verdict.INSUFFICIENT_DATA if watch is None else watch.diagnosis.verdict)


def _tone(verdict: Verdict) -> str:
    if verdict.facts.well:
        return "well"
    return "calm" if verdict.facts.sized else "bad"


def _tone_of(model: ModelLine) -> str:
    if model.problem:
        return "bad"
    return _tone(model.diagnosis.verdict) if model.diagnosis else "calm"


def _render(template: str, status: Status, visit: Visit) -> str:
    watch = status.watch
    return (
        environment()
        .get_template(template)
        .render(
            status=status,
            visit=visit,
            watch=watch,
            tone=tone(watch),
            meaning=reading.meaning(watch) if watch else "",
            sentence=sentence,
            sentences=reading.read(watch) if watch else (),
            findings=_findings(watch) if watch else (),
            figures=draw(status, visit.past, visit.range),
            ranges=tuple(RANGES),
            range=visit.range,
            grave=_GRAVE,
        )
    )


def _findings(watch: WatchState) -> list[Finding]:
    """Return the findings, the worst first."""
    return sorted(watch.measured.findings, key=lambda finding: _WORST.index(finding.level))
