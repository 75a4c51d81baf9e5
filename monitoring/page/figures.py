"""The page's own charts: shares of the actions, spread, evidence; and what happened meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from string import ascii_uppercase

from plumbline.monitoring.page.chronicle import Instant
from plumbline.monitoring.page.drawing import Axis, Drawing, Mark, Series, build
from plumbline.monitoring.page.status import Status, WatchState
from plumbline.monitoring.page.text import words

MAX_MARKS = 12
_STYLES = 5


@dataclass(frozen=True)
class Figures:
    """All charts of one range.

    Attributes
    ----------
    axis
        Which they share.
    charts
        By name: ``shares`` for a policy with actions, ``spread``, ``evidence``; none without rows.
    marks
        Swaps and incidents in the range, oldest first.
    """

    axis: Axis
    charts: dict[str, Drawing]
    marks: tuple[Mark, ...]


def draw(status: Status, past: Sequence[Instant], name: str) -> Figures:
    """Return the charts of a range of `RANGES`."""
    axis = Axis.of(name, past, status.time)
    watch = status.watch
    charts: dict[str, Drawing] = {}
    if watch is not None and past:
        if watch.actions:
            charts["shares"] = _shares(watch, axis, past)
        charts["spread"] = _spread(watch, axis, past)
        charts["evidence"] = _evidence(axis, past)
    return Figures(axis=axis, charts=charts, marks=tuple(_marks(status, axis)))


def _shares(watch: WatchState, axis: Axis, past: Sequence[Instant]) -> Drawing:
    series = [
        Series(
            name=name,
            style=f"series-{place % _STYLES}",
            values=[_share(each, place, len(watch.actions)) for each in past],
            level=watch.reference_shares[place],
            band=watch.share_bands[place] if watch.share_bands else None,
        )
        for place, name in enumerate(watch.actions)
    ]
    return build("Share of each action", axis, past, series, top=1.0, percent=True)


def _share(past: Instant, place: int, actions: int) -> float | None:
    """Return one action's share; None of a version that had other actions."""
    return past.point.shares[place] if len(past.point.shares) == actions else None


def _spread(watch: WatchState, axis: Axis, past: Sequence[Instant]) -> Drawing:
    spread = Series(
        name="spread",
        style="series-0",
        values=[each.point.spread for each in past],
        level=watch.reference_spread,
        band=watch.spread_band,
    )
    return build("Spread of the deciding output", axis, past, [spread])


def _evidence(axis: Axis, past: Sequence[Instant]) -> Drawing:
    """Return a line for each of the five detectors that came closest to an alarm."""
    history = [each.point.evidence for each in past]
    names = sorted({name for evidence in history for name in evidence})
    names.sort(key=lambda name: -max(evidence.get(name, 0.0) for evidence in history))
    series = [
        Series(words(name), f"series-{place}", [evidence.get(name) for evidence in history])
        for place, name in enumerate(names[:_STYLES])
    ]
    series.append(Series("alarm", "alarm", [None] * len(history), level=1.0))
    title = "Evidence of each detector, as a share of what an alarm needs"
    return build(title, axis, past, series, top=2.0, percent=True)


def _marks(status: Status, axis: Axis) -> Iterator[Mark]:
    """Yield the newest swaps and incidents of the range, with a letter each."""
    found = sorted(_events(status), key=lambda event: event[0])
    found = [event for event in found if axis.start <= event[0] <= axis.end][-MAX_MARKS:]
    for letter, (time, kind, text) in zip(ascii_uppercase, found, strict=False):
        yield Mark(letter=letter, kind=kind, time=time, text=text, place=axis.at(time) / 10)


def _events(status: Status) -> Iterator[tuple[datetime, str, str]]:
    moves = status.holdings.moves
    for move in moves:
        how = "rolled back to" if move.rollback else "serves now:"
        yield move.time, "swap", f"{how} {move.version}, by {move.actor}: {move.reason}"
    if not moves and status.watch is not None:
        yield status.watch.promoted, "swap", f"serves now: {status.watch.version}"
    for incident in status.incidents:
        yield incident.opened, "incident", f"incident opened: {words(incident.verdict)}"
        if incident.closed is not None:
            yield incident.closed, "closed", f"incident ended: {words(incident.status)}"
