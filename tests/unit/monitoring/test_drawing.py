"""Charts over time: where a moment is, where a line breaks, and what marks stand on it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from plumbline.monitoring.page.chronicle import Instant
from plumbline.monitoring.page.drawing import Axis, Series, build
from plumbline.monitoring.watching.chart import Band, Point

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def past(*minutes_ago: float, version: str = "a") -> list[Instant]:
    """Return instants so many minutes ago."""
    return [
        Instant(
            version,
            Point(row=i, time=NOW - timedelta(minutes=ago), shares=(), spread=0.5, evidence={}),
        )
        for i, ago in enumerate(minutes_ago)
    ]


def path(instants: list[Instant], values: list[float | None]) -> str:
    """Return the line of these values over an hour, with an axis up to 1."""
    drawn = build("t", Axis(NOW - HOUR, NOW), instants, [Series("s", "c", values)], top=1.0)
    return drawn.curves[0].path


def test_the_axis_goes_from_left_to_right_and_upwards():
    """In per mille of the width, and in per cent from the top."""
    assert path(past(60, 30, 0), [0.0, 0.5, 1.0]) == "M0.0,100.0h.1L500.0,50.0L1000.0,0.0"


@pytest.mark.parametrize(
    ("instants", "values"),
    [
        (past(3, 2, 1, 0), [0.1, 0.1, None, 0.1]),
        ([*past(3, 2), *past(1, 0, version="b")], [0.1, 0.1, 0.1, 0.1]),
        (past(43, 42, 41, 1, 0), [0.1, 0.1, 0.1, 0.1, 0.1]),
    ],
    ids=["nothing known", "another version", "no traffic"],
)
def test_a_line_breaks(instants, values):
    """Where nothing was known, where another version serves, where nothing came."""
    assert path(instants, values).count("M") == 2


def test_one_prediction_an_hour_is_a_line():
    """The usual step decides what a gap is, not the clock."""
    hourly = past(*(60 * hour for hour in range(23, -1, -1)))
    axis = Axis(NOW - timedelta(days=1), NOW)
    drawn = build("t", axis, hourly, [Series("s", "c", [0.5] * 24)], top=1.0)

    assert drawn.curves[0].path.count("M") == 1


def test_a_band_lies_between_its_ends():
    """Upper edge and height, in per cent."""
    series = Series("s", "c", [None], level=0.5, band=Band(low=0.25, high=0.75))
    curve = build("t", Axis(NOW - HOUR, NOW), past(0), [series], top=1.0).curves[0]

    assert (curve.level, curve.band) == (50.0, (25.0, 50.0))


@pytest.mark.parametrize(
    ("name", "first"), [("1h", "11:00"), ("1d", "12:00"), ("7d", "26 Dec"), ("all", "11:50:00")]
)
def test_the_labels_fit_the_range(name, first):
    """Hours of a day, days of a week, seconds of a young one."""
    assert Axis.of(name, past(10, 0), NOW).labels[0] == first
