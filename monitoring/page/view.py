"""The status page: the monitor's status, drawn for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from itertools import cycle

import jinja2
from markupsafe import Markup

from plumbline.bundle.finding import Finding, Level, Verdict
from plumbline.drawing.plot import Line, line_plot
from plumbline.monitoring.page.status import Status, WatchState
from plumbline.monitoring.watching.skill.join import UNUSED
from plumbline.store.incident import EventKind

_GRAVE = frozenset(
    {EventKind.CALLED, EventKind.ATTEMPT_FAILED, EventKind.CANDIDATE_REFUSED, EventKind.ROLLED_BACK}
)
_WORST = (Level.FAIL, Level.WARN, Level.INSUFFICIENT, Level.PASS)
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


class Page:
    """Renders the page, and the part of it that changes."""

    def __init__(self) -> None:
        folder = str(files("plumbline.monitoring.page") / "templates")
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(folder),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters["words"] = words
        self._templates.filters["ago"] = ago
        self._templates.filters["stamp"] = stamp
        self._templates.filters["figure"] = figure
        self._templates.filters["lost"] = lost

    def render(self, status: Status) -> str:
        """Return the whole page."""
        return self._render("status.html", status)

    def render_live(self, status: Status) -> str:
        """Return the part that the page fetches again every second."""
        return self._render("live.html", status)

    def _render(self, template: str, status: Status) -> str:
        watch = status.watch
        return self._templates.get_template(template).render(
            status=status,
            watch=watch,
            tone=tone(watch),
            facts=watch.diagnosis.verdict.facts if watch else None,
            findings=_findings(watch) if watch else (),
            plots=_plots(watch) if watch and watch.points else {},
            grave=_GRAVE,
        )


def tone(watch: WatchState | None) -> str:
    """Return the colour of the verdict: well, calm or bad; the page adds a shape to each."""
    facts = Verdict.INSUFFICIENT_DATA.facts if watch is None else watch.diagnosis.verdict.facts
    if facts.well:
        return "well"
    return "calm" if facts.sized else "bad"


def words(text: str) -> str:
    """Return an identifier as words: ``dominant_action`` as ``dominant action``."""
    return text.replace("_", " ")


def ago(moment: datetime, now: datetime) -> str:
    """Return how long ago something was, in one unit."""
    seconds = max(0, int((now - moment).total_seconds()))
    for unit, size in (("d", _DAY), ("h", _HOUR), ("min", _MINUTE)):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def stamp(moment: datetime) -> str:
    """Return a time as ``2017-06-01 12:00:00``, in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def figure(number: float | None) -> str:
    """Return a number with three digits and its sign; a dash where there is none."""
    return "–" if number is None else f"{number:+.3g}"


def lost(counts: Mapping[str, int]) -> str:
    """Return how many outcomes were not used and why, in words; empty where all were."""
    unused = {name: counts.get(name, 0) for name in UNUSED}
    return ", ".join(f"{count:,} {words(name)}" for name, count in unused.items() if count)


def _findings(watch: WatchState) -> list[Finding]:
    """Return the findings, the worst first."""
    return sorted(watch.diagnosis.findings, key=lambda finding: _WORST.index(finding.level))


def _plots(watch: WatchState) -> dict[str, Markup]:
    """Draw the plots; each is escaped where it is made."""
    points = watch.points
    rows = [float(point.row) for point in points]
    shares = [
        Line(
            name=name,
            style=f"series-{place}",
            values=[point.shares[place] for point in points],
            reference=watch.reference_shares[place],
        )
        for place, name in enumerate(watch.actions)
    ]
    spread = Line("spread", "series-0", [p.spread for p in points], watch.reference_spread)
    drawn = {
        "shares": line_plot("Share of each action", rows, shares, top=1.0, percent=True),
        "spread": line_plot("Spread of the outputs", rows, [spread]),
        "evidence": line_plot(
            "Evidence of each detector, as a share of what an alarm needs",
            rows,
            _evidence_lines([point.evidence for point in points]),
            top=1.25,
            percent=True,
        ),
    }
    # Every name in these texts was escaped by `line_plot`.
    return {name: Markup(text) for name, text in drawn.items()}  # noqa: S704  # escaped there


def _evidence_lines(history: Sequence[dict[str, float]]) -> list[Line]:
    """Return a line for each of the five detectors that came closest to an alarm."""
    names = sorted({name for evidence in history for name in evidence})
    names.sort(key=lambda name: -max(evidence.get(name, 0.0) for evidence in history))
    styles = cycle(f"series-{number}" for number in range(5))
    lines = [
        Line(words(name), style, [evidence.get(name) for evidence in history])
        for name, style in zip(names[:5], styles, strict=False)
    ]
    return [*lines, Line("alarm", "alarm", [1.0] * len(history))]
