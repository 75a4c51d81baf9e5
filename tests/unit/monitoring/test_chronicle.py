"""The past of the charts: fine where it is near, bounded where it is long, across versions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from plumbline.monitoring.page.chronicle import POINTS, Chronicle
from plumbline.monitoring.watching.chart import Point

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def points(count: int, *, every: timedelta, start: datetime = NOW, row: int = 0) -> list[Point]:
    """Return points that follow each other at one pace."""
    return [
        Point(row=row + i + 1, time=start + i * every, shares=(1.0,), spread=0.1, evidence={})
        for i in range(count)
    ]


def test_every_range_is_bounded_and_ends_with_the_newest():
    """A month of points a minute costs no more than some hundred points of each range."""
    chronicle, watch = Chronicle(), object()
    month = points(43_200, every=timedelta(minutes=1))
    for start in range(0, len(month), 200):
        chronicle.take(watch, "a", month[: start + 200][-240:])

    for name, reach in (("1h", 3_600), ("1d", 86_400), ("7d", 604_800), ("all", 10**9)):
        kept = chronicle.of(name)
        steps = [(b.time - a.time).total_seconds() for a, b in pairwise(kept)]

        assert len(kept) <= 2 * POINTS
        assert kept[-1].time == month[-1].time
        assert (kept[-1].time - kept[1].time).total_seconds() <= reach
        assert all(step > 0 for step in steps)
    assert chronicle.of("all")[0].time == NOW
    assert len(chronicle.of("1h")) > 55


def test_the_lines_go_on_where_another_version_is_swapped_in():
    """The first watch's points stay; the second's rows begin again at one."""
    chronicle = Chronicle()
    chronicle.take(object(), "a", points(5, every=timedelta(minutes=1)))
    later = NOW + timedelta(minutes=10)
    chronicle.take(object(), "b", points(3, every=timedelta(minutes=1), start=later))

    assert [each.version for each in chronicle.of("all")] == ["a"] * 5 + ["b"] * 3


def test_what_was_taken_is_not_taken_again():
    """Every round hands over all the points there are."""
    chronicle, watch = Chronicle(), object()
    some = points(4, every=timedelta(minutes=1))
    for end in (2, 2, 4, 4):
        chronicle.take(watch, "a", some[:end])

    assert [each.point.row for each in chronicle.of("1h")] == [1, 2, 3, 4]
