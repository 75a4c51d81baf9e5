"""Charts over time, as values that a template draws: lines, bands of the reference, and marks.

The drawing is stretched to whatever width there is, so nothing in it is text: labels stand beside
it as HTML and stay readable on a telephone. Coordinates are per mille of the width, per cent of the
height.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from plumbline.monitoring.page.chronicle import RANGES, Instant
from plumbline.monitoring.page.text import DAY
from plumbline.monitoring.watching.chart import Band

WIDTH, HEIGHT = 1000.0, 100.0
_TICKS = 4
_GAP_SHARE, _GAP_TIMES = 1 / 30, 4
"""A line is broken where nothing came for so much of the axis, and so many usual steps."""


@dataclass(frozen=True)
class Curve:
    """One line, and what is known of it in the reference."""

    name: str
    style: str
    path: str
    level: float | None = None
    band: tuple[float, float] | None = None


@dataclass(frozen=True)
class Mark:
    """Something that happened: a swap of versions, or an incident."""

    letter: str
    kind: str
    time: datetime
    text: str
    place: float


@dataclass(frozen=True)
class Drawing:
    """One chart.

    Attributes
    ----------
    title
        Read out in place of the picture.
    curves
        In the order of the legend.
    highs
        Labels of the y axis, top first, evenly spaced.
    """

    title: str
    curves: tuple[Curve, ...]
    highs: tuple[str, ...]


@dataclass(frozen=True)
class Series:
    """Values of one line, one per point; None leaves a gap."""

    name: str
    style: str
    values: Sequence[float | None]
    level: float | None = None
    band: Band | None = None


@dataclass(frozen=True)
class Axis:
    """The time axis that all charts share.

    Attributes
    ----------
    start, end
        Of the range.
    """

    start: datetime
    end: datetime

    @classmethod
    def of(cls, name: str, past: Sequence[Instant], now: datetime) -> Axis:
        """Return the axis of a range of `RANGES` that ends now."""
        reach = RANGES[name]
        if reach is not None:
            return cls(now - reach, now)
        first = past[0].time if past else now
        return cls(min(first, now - timedelta(minutes=1)), now)

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.end - self.start).total_seconds()

    def at(self, moment: datetime) -> float:
        """Return a moment's place, in per mille of the width."""
        share = (moment - self.start).total_seconds() / self.seconds
        return WIDTH * min(max(share, 0.0), 1.0)

    @property
    def labels(self) -> tuple[str, ...]:
        """What is written below it, evenly spaced."""
        form = "%H:%M" if self.seconds > DAY / 24 / 6 else "%H:%M:%S"
        if self.seconds > DAY:
            form = "%d %b %H:%M" if self.seconds < 3 * DAY else "%d %b"
        moments = (self.start + place / _TICKS * (self.end - self.start) for place in range(5))
        return tuple(moment.astimezone(UTC).strftime(form) for moment in moments)


def build(
    title: str,
    axis: Axis,
    past: Sequence[Instant],
    series: Sequence[Series],
    *,
    top: float | None = None,
    percent: bool = False,
) -> Drawing:
    """Return a chart of series over the points that they are about.

    Parameters
    ----------
    title, axis
        What it is called, and its time axis.
    past
        The points, oldest first.
    series
        The lines, a value for each point.
    top
        Upper end of the y axis; by default just above the largest value.
    percent
        Whether values are shares.
    """
    top = top or _round_up(_largest(series))
    curves = tuple(
        Curve(
            name=each.name,
            style=each.style,
            path=_path(axis, past, each.values, top),
            level=None if each.level is None else _height(each.level, top),
            band=None if each.band is None else _span(each.band, top),
        )
        for each in series
    )
    ticks = [top * (1 - place / _TICKS) for place in range(_TICKS + 1)]
    highs = tuple(f"{tick:.0%}" if percent else f"{tick:.3g}" for tick in ticks)
    return Drawing(title=title, curves=curves, highs=highs)


def _largest(series: Sequence[Series]) -> float:
    known = [value for each in series for value in each.values if value is not None]
    known += [each.level for each in series if each.level is not None]
    known += [each.band.high for each in series if each.band is not None]
    return max((value for value in known if math.isfinite(value)), default=1.0)


def _height(value: float, top: float) -> float:
    return HEIGHT * (1 - min(max(value / top, 0.0), 1.0))


def _span(band: Band, top: float) -> tuple[float, float]:
    """Return a band's upper edge and its height; thin ones can still be seen."""
    upper = _height(band.high, top)
    return upper, max(_height(band.low, top) - upper, 0.5)


def _path(axis: Axis, past: Sequence[Instant], values: Sequence[float | None], top: float) -> str:
    """Return an SVG path, broken where a version ends, where nothing came, and where None is."""
    steps: list[str] = []
    longest = _longest_step(axis, past)
    before: Instant | None = None
    for each, value in zip(past, values, strict=True):
        if value is None or not math.isfinite(value) or each.time < axis.start:
            before = None
            continue
        on = (
            before is not None
            and before.version == each.version
            and each.time - before.time <= longest
        )
        place = f"{axis.at(each.time):.1f},{_height(value, top):.1f}"
        steps.append(f"L{place}" if on else f"M{place}h.1")
        before = each
    return "".join(steps)


def _longest_step(axis: Axis, past: Sequence[Instant]) -> timedelta:
    steps = sorted(later.time - earlier.time for earlier, later in pairwise(past))
    usual = steps[len(steps) // 2] if steps else timedelta(0)
    return max(_GAP_TIMES * usual, _GAP_SHARE * timedelta(seconds=axis.seconds))


def _round_up(value: float) -> float:
    """Return the next of 1, 2, 4, 6, 8, 10 times a power of ten, so that quarters read well."""
    if value <= 0 or not math.isfinite(value):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value * 1.05))
    return next((power * step for step in (1, 2, 4, 6, 8) if value <= power * step), 10 * power)
