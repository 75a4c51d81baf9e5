"""What is drawn over time, and the letters of what happened meanwhile."""

from __future__ import annotations

from datetime import timedelta

from plumbline.bundle.finding import Verdict
from plumbline.monitoring.page.chronicle import Instant
from plumbline.monitoring.page.figures import MAX_MARKS, draw
from plumbline.monitoring.page.holdings import Holdings, Move
from plumbline.monitoring.watching.chart import Point
from tests.unit.monitoring.test_status_page import NOW, status

PAST = [
    Instant(
        "0123456789abcdef",
        Point(
            row=row,
            time=NOW - timedelta(minutes=40 - row),
            shares=(0.2, 0.6, 0.2),
            spread=0.1,
            evidence={"gain": row / 40, "spread": 0.1},
        ),
    )
    for row in range(40)
]


def moved(*minutes_ago: float) -> Holdings:
    """Return what the store has of a champion that was moved so many minutes ago."""
    return Holdings(
        moves=tuple(
            Move(version=f"{i:016x}", time=NOW - timedelta(minutes=ago), actor="ada", reason="r")
            for i, ago in enumerate(minutes_ago)
        )
    )


def test_swaps_and_incidents_of_the_range_are_marked_in_order():
    """Those before it are not; each has its letter and its place."""
    seen = status(Verdict.FLAT).model_copy(update={"holdings": moved(90, 30, 15)})
    marks = draw(seen, PAST, "1h").marks

    assert [(mark.letter, mark.kind) for mark in marks] == [
        ("A", "swap"),
        ("B", "swap"),
        ("C", "incident"),
    ]
    assert [round(mark.place) for mark in marks] == [50, 75, 100]
    assert len(draw(seen, PAST, "1d").marks) == 4


def test_of_many_marks_the_newest_are_shown():
    """A letter each, and no more than can be told apart."""
    seen = status().model_copy(update={"holdings": moved(*range(50, 0, -1)), "incidents": ()})
    marks = draw(seen, PAST, "1h").marks

    assert len(marks) == MAX_MARKS
    assert marks[-1].text.startswith(f"serves now: {49:016x}")


def test_every_action_and_the_nearest_detectors_have_a_line():
    """And the alarm has a level."""
    charts = draw(status(), PAST, "1h").charts

    assert len(charts["shares"].curves) == 3
    assert [curve.name for curve in charts["evidence"].curves] == ["gain", "spread", "alarm"]
    assert charts["evidence"].curves[-1].level == 50.0
    assert charts["spread"].curves[0].path.startswith("M")


def test_nothing_is_drawn_before_the_first_row():
    """The page says what to do instead."""
    assert draw(status(), (), "all").charts == {}
