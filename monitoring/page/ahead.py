"""What happens next, and when: looks, jobs, limits and schedules that the monitor knows of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import Field

from plumbline.bundle.record import Record
from plumbline.monitoring.page.text import span
from plumbline.monitoring.repair.need import attempts_allowed
from plumbline.monitoring.settings import SHADOW_ROWS, MonitoringSettings
from plumbline.store.incident import Incident, IncidentStatus

_UNTIL_PROMOTED = "until a person promotes another, or orders a retrain"


class Ahead(Record):
    """One thing that is to come."""

    what: str
    when: datetime | None = Field(None, description="None where it is not a matter of time.")
    waits: str = Field("", description="What it waits for instead, or as well.")
    incident: str | None = Field(None, description="The incident it is about, if about one.")

    def due(self, now: datetime) -> str:
        """Say in how long it comes; empty where it is not a matter of time."""
        return f"in {span((self.when - now).total_seconds())}" if self.when else ""

    def sentence(self, now: datetime) -> str:
        """Say all of it in one line."""
        waits = f"({self.waits})" if self.waits else ""
        return " ".join(filter(None, (self.what, self.due(now), waits)))


@dataclass(frozen=True)
class Prospect:
    """What the future is read from.

    Attributes
    ----------
    now, settings
        The present time, and what the monitor has been told.
    rows, bars
        Predictions judged of the version that serves, and the bars they asked about.
    next_look
        Predictions until findings are made anew; None while they are not.
    seconds_a_row
        At the pace of the newest predictions; None where none can be told.
    shadow_rows, shadow_since
        Of the version in shadow, if there is one.
    last_retrain
        When a retrain was last started.
    incidents
        Those that are not ended, newest first.
    given_up
        The incident for which nothing more is tried on the version that serves, if there is one.
    due
        Moments of what goes by the clock, by what it is.
    """

    now: datetime
    settings: MonitoringSettings
    rows: int
    next_look: int | None
    seconds_a_row: float | None
    bars: int = 0
    shadow_rows: int = 0
    shadow_since: datetime | None = None
    last_retrain: datetime | None = None
    incidents: tuple[Incident, ...] = ()
    given_up: Incident | None = None
    due: dict[str, datetime] = field(default_factory=dict)

    def after(self, rows: int) -> datetime | None:
        """Return when so many more predictions will have come, at the present pace."""
        if self.seconds_a_row is None:
            return None
        return self.now + timedelta(seconds=rows * self.seconds_a_row)

    def after_bars(self, bars: int) -> datetime | None:
        """Return when so many more bars will have been asked about, at the present pace."""
        return self.after(round(bars * self.rows / self.bars)) if self.bars else None


def look_ahead(prospect: Prospect) -> tuple[Ahead, ...]:
    """Return what is to come: of incidents first, then the soonest first."""
    of_incidents = [
        item.model_copy(update={"incident": each.id})
        for each in prospect.incidents
        for item in _of_incident(each, prospect)
    ]
    if (left := prospect.given_up) is not None:
        what = "Nothing more is tried on this version"
        of_incidents.append(Ahead(what=what, waits=_UNTIL_PROMOTED, incident=left.id))
    others = sorted(_routine(prospect), key=lambda item: (item.when is None, item.when))
    return (*of_incidents, *others)


def _routine(prospect: Prospect) -> Iterator[Ahead]:
    settings = prospect.settings
    if prospect.next_look is not None:
        yield Ahead(
            what="The next look at all findings",
            when=prospect.after(prospect.next_look),
            waits=f"after {prospect.next_look:,} more predictions",
        )
    if "schedule" in settings.triggers:
        yield from _scheduled(prospect)
    last, cooldown = prospect.last_retrain, timedelta(seconds=settings.cooldown_seconds)
    if last is not None and last + cooldown > prospect.now:
        yield Ahead(what="The cool-down ends; until then no retrain begins", when=last + cooldown)
    for what, when in prospect.due.items():
        yield Ahead(what=what, when=max(when, prospect.now))


def _scheduled(prospect: Prospect) -> Iterator[Ahead]:
    settings = prospect.settings
    for every, seen, unit, after in (
        (settings.schedule_predictions, prospect.rows, "predictions", prospect.after),
        (settings.schedule_bars, prospect.bars, "bars", prospect.after_bars),
    ):
        if every:
            left = every - seen % every
            yield Ahead(
                what="A retrain by schedule",
                when=after(left),
                waits=f"after {left:,} more {unit}, if all is well then",
            )


def _of_incident(incident: Incident, prospect: Prospect) -> Iterator[Ahead]:
    settings, allowed = prospect.settings, attempts_allowed(incident, prospect.settings)
    left = f"attempt {incident.attempts} of {allowed}"
    began = incident.events[-1].time if incident.events else incident.opened
    match incident.status:
        case IncidentStatus.OPEN:
            yield Ahead(
                what="The repair begins", waits=f"{allowed - incident.attempts} attempts left"
            )
        case IncidentStatus.RETRAINING | IncidentStatus.RECALIBRATING:
            what = "retrain" if incident.status is IncidentStatus.RETRAINING else "new fit"
            yield Ahead(
                what=f"The {what} ends, or is killed",
                when=began + timedelta(seconds=settings.job_timeout_seconds),
                waits=f"at the latest; {left}, after the last a person is called",
            )
        case IncidentStatus.SHADOWING:
            needed = settings.shadow_rows or SHADOW_ROWS
            since = prospect.shadow_since or began
            yield Ahead(
                what=f"{incident.candidate} leaves the shadow",
                when=since + timedelta(seconds=settings.shadow_seconds),
                waits=f"at the latest; {prospect.shadow_rows:,} of {needed:,} answers judged",
            )
        case IncidentStatus.WATCHING:
            seen = min(prospect.rows, settings.recovery_rows)
            yield Ahead(
                what="The incident is resolved, or the new version rolled back",
                when=prospect.after(max(settings.recovery_rows - seen, 0)),
                waits=f"{seen:,} of {settings.recovery_rows:,} predictions watched; {left}",
            )
        case IncidentStatus.CALLED:
            yield Ahead(
                what="A person was called", waits="it ends by itself when the inputs are sound"
            )
