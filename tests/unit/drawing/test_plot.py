"""Plots are SVG that any browser draws and no name can break out of."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest

from plumbline.drawing.plot import WIDTH, Line, line_plot


def paths(svg: str) -> list[str]:
    """Return the path data of the lines."""
    return [each.get("d", "") for each in ET.fromstring(svg).iter("path")]


def test_a_plot_is_well_formed_and_has_a_path_for_each_line():
    """One polyline per line, from the left edge to the right."""
    lines = [Line("a", "series-0", [0, 1]), Line("b", "series-1", [1, 0])]
    svg = line_plot("two", [0, 10], lines, top=1.0)

    assert paths(svg) == ["M42.0,164.0L542.0,10.0", "M42.0,10.0L542.0,164.0"]


def test_hostile_names_stay_text():
    """A class called like a script is written, not run."""
    hostile = '"><script>alert(1)</script>'
    svg = line_plot(hostile, [0, 1], [Line(hostile, hostile, [0.5, 0.5], reference=0.2)])

    assert "<script" not in svg
    assert hostile in "".join(ET.fromstring(svg).itertext())


def test_undefined_values_leave_a_gap():
    """None and NaN end a stroke and begin another."""
    line = Line("a", "series-0", [0.1, None, 0.2, float("nan"), 0.3])
    svg = line_plot("gaps", [0, 1, 2, 3, 4], [line])

    assert paths(svg)[0].count("M") == 3
    assert "nan" not in svg.lower()


def test_empty_plots_are_drawn():
    """No points, one point, all zeros: still a picture."""
    for xs, values in (([], []), ([3], [0.0]), ([3, 4], [0.0, 0.0])):
        svg = line_plot("little", xs, [Line("a", "series-0", values)])

        assert ET.fromstring(svg).tag.endswith("svg")


def test_labels_of_equal_lines_do_not_overlap_and_stay_inside():
    """Three lines at the bottom and one at the top: all four can be read."""
    lines = [
        Line(name, "series-0", [0.0, level])
        for name, level in zip("abcd", (0, 0, 0, 1), strict=True)
    ]
    root = ET.fromstring(line_plot("crowd", [0, 1], lines, top=1.0))
    levels = sorted(
        float(each.get("y", "nan"))
        for each in root.iter()
        if "label" in each.get("class", "").split()
    )

    assert all(later - earlier >= 13.9 for earlier, later in pairwise(levels))
    assert levels[0] >= 10
    assert levels[-1] <= 164.1


def test_values_beyond_the_axis_are_drawn_at_its_end():
    """Evidence of twice the alarm level does not leave the picture."""
    svg = line_plot("over", [0, 1], [Line("a", "series-0", [0.0, 5.0])], top=1.0)

    assert paths(svg)[0].endswith(",10.0")


def ticks(svg: str) -> list[str]:
    """Return what is written beside the y axis."""
    return [
        each.text or ""
        for each in ET.fromstring(svg).iter()
        if each.get("class") == "tick" and each.get("dy")
    ]


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([0.829, 0.895], False, ["0.82", "0.84", "0.86", "0.88", "0.9"]),
        ([-0.006, 0.004], True, ["-1.0%", "-0.5%", "0.0%", "0.5%"]),
        ([0.0, 0.0], True, ["0%", "25%", "50%", "75%", "100%"]),
        ([0.5, 0.5], False, ["0", "0.25", "0.5", "0.75", "1"]),
    ],
)
def test_an_axis_that_need_not_begin_at_zero_has_round_numbers(values, percent, expected):
    """Just around the values, also below zero and where all are the same."""
    line = Line("a", "series-0", values)

    assert ticks(line_plot("loss", [1, 2], [line], bottom=None, percent=percent)) == expected


def test_lines_may_have_places_and_dots_of_their_own():
    """Each line is drawn where it says, with a dot at every value that there is."""
    lines = [
        Line("ideal", "ideal", [0.0, 1.0], at=[0.0, 1.0]),
        Line("a", "series-0", [0.5, None], at=[0.5, 1.0], marked=True),
    ]
    svg = line_plot("said and was", [0, 1], lines, top=1.0)

    assert paths(svg) == ["M42.0,164.0L542.0,10.0", "M292.0,87.0"]
    assert len(list(ET.fromstring(svg).iter("circle"))) == 1


def test_the_x_axis_says_what_it_is_told():
    """Dates, for instance; a hostile one stays text."""
    svg = line_plot("dates", [0, 1], [], x_ticks=((0, "2017"), (0.5, "<b>"), (1, "2018")))

    assert list(ET.fromstring(svg).itertext())[-3:] == ["2017", "<b>", "2018"]


def test_a_long_name_has_room_beside_the_lines():
    """Twenty-two letters of a detector and an output do not run out of the drawing."""
    short, long = (
        line_plot("Evidence", [0.0, 1.0], [Line(name, "a", [0.0, 1.0])])
        for name in ("gain", "surrogate direction_h6")
    )
    starts = [float(re.search(r'class="label a" x="(\d+)"', svg)[1]) for svg in (short, long)]

    assert starts[1] < starts[0]
    assert starts[1] + 7 * len("surrogate direction_h6") <= WIDTH
