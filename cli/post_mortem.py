"""The post-mortem of an incident, as Markdown: what was seen and tried, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from plumbline.store.repair_time import MINUTE, repair_time

if TYPE_CHECKING:
    from plumbline.store.acknowledgement import Acknowledgement
    from plumbline.store.incident import Incident

LOG_LINES = 60
"""Of each job's log that a person is told."""


def post_mortem(
    incident: Incident, seen: Acknowledgement | None, logs: Mapping[int, str] = MappingProxyType({})
) -> str:
    """Return the whole document.

    Parameters
    ----------
    incident
        In its newest state.
    seen
        Who said that they are on it, if anybody did.
    logs
        The end of each job's log, by attempt; of each the last lines are told.
    """
    parts = (
        _head(incident, seen),
        _evidence(incident),
        _timeline(incident),
        _times(incident),
        _logs(logs),
    )
    return "\n".join(line for part in parts for line in part)


def ending(incident: Incident) -> str:
    """Say in words how an incident stands."""
    if incident.closed is None:
        return f"not ended: {incident.status.value}"
    return f"{incident.status.value} at {incident.closed:%Y-%m-%d %H:%M:%S} UTC"


def _head(incident: Incident, seen: Acknowledgement | None) -> Iterator[str]:
    yield f"# {incident.model}: {incident.verdict.value}, {incident.opened:%Y-%m-%d %H:%M} UTC"
    yield ""
    yield f"{incident.diagnosis.cause}"
    yield ""
    yield "| | |"
    yield "|---|---|"
    for name, value in (
        ("incident", incident.id),
        ("version", incident.version),
        ("verdict", incident.verdict.value),
        ("remedy", incident.diagnosis.remedy.value),
        ("opened", f"{incident.opened:%Y-%m-%d %H:%M:%S} UTC, by {incident.trigger}"),
        ("asked by", incident.actor),
        ("noticed after", f"{incident.detected_after} predictions"),
        ("decided by", incident.decided_by or "no single prediction"),
        ("attempts", str(incident.attempts)),
        ("candidate", incident.candidate or "none"),
        ("ended", ending(incident)),
        ("acknowledged", _acknowledged(seen)),
    ):
        yield f"| {name} | {_cell(value)} |"


def _evidence(incident: Incident) -> Iterator[str]:
    yield from ("", "## Evidence", "", f"Of {incident.diagnosis.n} predictions.", "")
    for finding in incident.diagnosis.findings:
        about = f" ({finding.output})" if finding.output else ""
        yield f"- **{finding.level.value}** {finding.name}{about}: {finding.message}"


def _timeline(incident: Incident) -> Iterator[str]:
    yield from ("", "## What happened", "", "| after | what | detail |", "|---|---|---|")
    for event in incident.events:
        after = (event.time - incident.opened).total_seconds()
        what = event.kind.value.replace("_", " ")
        about = f" ({event.version})" if event.version else ""
        yield f"| {after:+.1f} s | {what} | {_cell(event.detail + about)} |"


def _times(incident: Incident) -> Iterator[str]:
    spent = repair_time(incident)
    yield from ("", "## Where the time went", "", "| doing what | seconds | budget | |")
    yield "|---|---|---|---|"
    for stage, seconds, budget in spent.lines:
        over = "over" if stage in spent.over else ""
        allowed = "none" if budget is None else f"{budget:.0f}"
        yield f"| {stage.value} | {seconds:.1f} | {allowed} | {over} |"
    over = "over" if spent.budgeted > MINUTE else ""
    yield f"| all with a budget | {spent.budgeted:.1f} | {MINUTE:.0f} | {over} |"
    yield f"| in all | {spent.total:.1f} | | |"
    yield ""


def _logs(logs: Mapping[int, str]) -> Iterator[str]:
    for attempt, text in sorted(logs.items()):
        lines = text.splitlines()
        told = lines[-LOG_LINES:]
        yield f"## The log of attempt {attempt}"
        yield ""
        if len(lines) > len(told):
            yield f"The last {len(told)} lines of {len(lines)}; `--json` has all that was kept."
            yield ""
        yield from (f"    {line}" for line in told)
        yield ""


def _acknowledged(seen: Acknowledgement | None) -> str:
    if seen is None:
        return "by nobody"
    note = f": {seen.note}" if seen.note else ""
    return f"by {seen.actor} at {seen.time:%Y-%m-%d %H:%M:%S} UTC{note}"


def _cell(text: str) -> str:
    """Keep a text within its cell of a table."""
    return " ".join(text.replace("|", r"\|").split())
