"""The past of the charts over time: fine for the last hour, coarser the further it reaches back.

A track for each range that a reader may choose, so that a year costs no more than an hour. The
tracks outlive a version: where another one was swapped in, the lines go on.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from plumbline.monitoring.watching.chart import Point

RANGES: dict[str, timedelta | None] = {
    "1h": timedelta(hours=1),
    "1d": timedelta(days=1),
    "7d": timedelta(days=7),
    "all": None,
}
POINTS = 240
"""Of a range, about."""


@dataclass(frozen=True)
class Instant:
    """One point, and the version it is about."""

    version: str
    point: Point

    @property
    def time(self) -> datetime:
        """When its newest row was answered."""
        return self.point.time


class Track:
    """The newest points of one range, no nearer to each other than a step.

    Parameters
    ----------
    reach
        How far back; None for all there has been. Its step doubles when it is full.
    """

    def __init__(self, reach: timedelta | None) -> None:
        self._reach = reach
        self._step = timedelta(0) if reach is None else reach / POINTS
        self._points: list[Instant] = []

    def add(self, past: Instant) -> None:
        """Add a point; the newest is always kept, the one before it only if it is a step away."""
        points = self._points
        nearby = (
            len(points) >= 2
            and points[-1].version == past.version
            and points[-1].time - points[-2].time < self._step
        )
        if nearby:
            points[-1] = past
        else:
            points.append(past)
        if self._reach is not None:
            oldest = past.time - self._reach
            keep = next(place for place, each in enumerate(points) if each.time >= oldest)
            del points[: max(keep - 1, 0)]
        elif len(points) > 2 * POINTS:
            self._points = thinned = points[::2]
            self._step = (thinned[-1].time - thinned[0].time) / POINTS

    @property
    def points(self) -> tuple[Instant, ...]:
        """Oldest first."""
        return tuple(self._points)


class Chronicle:
    """Every range's track; filled by the control loop, read by whoever draws the page."""

    def __init__(self) -> None:
        self._tracks = {name: Track(reach) for name, reach in RANGES.items()}
        self._lock = threading.Lock()
        self._watch: object = None
        self._row = 0

    def take(self, watch: object, version: str, points: Sequence[Point]) -> None:
        """Take in what is new of a watch's points; ``watch`` tells one watch from the next."""
        if watch is not self._watch:
            self._watch, self._row = watch, 0
        if not points or points[-1].row <= self._row:
            return
        new = [point for point in points if point.row > self._row]
        self._row = new[-1].row
        with self._lock:
            for point in new:
                for track in self._tracks.values():
                    track.add(Instant(version, point))

    def of(self, name: str) -> tuple[Instant, ...]:
        """Return the points of a range, oldest first; raises `KeyError` if there is no such."""
        with self._lock:
            return self._tracks[name].points
