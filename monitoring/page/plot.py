"""Plots as SVG text, drawn on the server: no library, no build step, nothing from elsewhere.

Colours come from the page's style sheet by class name, so the plots follow light and dark. Lines
differ in dash as well as in colour, and are labelled where they end.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 640, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 42, 98, 10, 26
_LABEL_GAP = 14
_TICK = 0.25


@dataclass(frozen=True)
class Line:
    """One line of a plot.

    Attributes
    ----------
    name
        Shown where the line ends.
    style
        Class in the style sheet.
    values
        One per x; None leaves a gap.
    reference
        A dashed level to compare with, or None.
    """

    name: str
    style: str
    values: Sequence[float | None]
    reference: float | None = None


@dataclass(frozen=True)
class _Scale:
    """Data to pixels."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        span = (self.high - self.low) or 1.0
        share = min(max((value - self.low) / span, 0.0), 1.0)
        return self.start + share * (self.end - self.start)


def line_plot(
    title: str,
    xs: Sequence[float],
    lines: Sequence[Line],
    *,
    top: float | None = None,
    percent: bool = False,
) -> str:
    """Draw lines over the predictions seen.

    Parameters
    ----------
    title
        Read out in place of the picture.
    xs : n numbers
        Ascending: rows since promotion.
    lines
        With n values each.
    top
        Upper end of the y axis; by default just above the largest value.
    percent
        Label the y axis in per cent.

    Returns
    -------
    str
        An ``<svg>`` element; names in it are escaped.
    """
    known = [v for line in lines for v in (*line.values, line.reference) if v is not None]
    high = top if top is not None else _round_up(max(known, default=1.0) * 1.05)
    y = _Scale(0.0, high, HEIGHT - _BOTTOM, _TOP)
    x = _Scale(xs[0] if xs else 0, xs[-1] if xs else 1, _LEFT, WIDTH - _RIGHT)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(title)}">',
        *_y_axis(y, percent),
        *_x_axis(x),
    ]
    for line in lines:
        if line.reference is not None:
            level = f"{y.at(line.reference):.1f}"
            ends = f'x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{level}" y2="{level}"'
            parts.append(f'<line class="reference {html.escape(line.style)}" {ends}/>')
        path = _path(xs, line.values, x, y)
        parts.append(f'<path class="line {html.escape(line.style)}" d="{path}"/>')
    parts += _labels(lines, y)
    return "".join(parts) + "</svg>"


def _path(xs: Sequence[float], values: Sequence[float | None], x: _Scale, y: _Scale) -> str:
    steps = []
    pen = "M"
    for place, value in zip(xs, values, strict=True):
        if value is None or not math.isfinite(value):
            pen = "M"
            continue
        steps.append(f"{pen}{x.at(place):.1f},{y.at(value):.1f}")
        pen = "L"
    return "".join(steps)


def _y_axis(y: _Scale, percent: bool) -> list[str]:
    parts = []
    step = _TICK if percent else (y.high - y.low) / 4
    for tick in range(int(y.high / step + 1e-9) + 1):
        value = tick * step
        level = f"{y.at(value):.1f}"
        text = f"{value:.0%}" if percent else f"{value:.3g}"
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{level}" y2="{level}"/>'
            f'<text class="tick" x="{_LEFT - 6}" y="{level}" dy="4" text-anchor="end">{text}</text>'
        )
    return parts


def _round_up(value: float) -> float:
    """Return the next of 1, 2, 4, 6, 8, 10 times a power of ten, so that quarters read well."""
    if value <= 0 or not math.isfinite(value):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(power * step for step in (1, 2, 4, 6, 8, 10) if value <= power * step)


def _x_axis(x: _Scale) -> list[str]:
    parts = []
    for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        value = x.low + share * (x.high - x.low)
        text = f"{value:,.0f}" + (" predictions" if share == 1.0 else "")
        place = f'x="{x.at(value):.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}"'
        parts.append(f'<text class="tick" {place}>{text}</text>')
    return parts


def _labels(lines: Sequence[Line], y: _Scale) -> list[str]:
    """Write each line's name where it ends, pushed apart where they would overlap."""
    ends = []
    for line in lines:
        last = next((v for v in reversed(line.values) if v is not None), None)
        if last is not None:
            ends.append((y.at(last), line))
    ends.sort(key=lambda end: end[0])
    places = _spread_out([level for level, _ in ends], _TOP, HEIGHT - _BOTTOM)
    return [
        f'<text class="label {html.escape(line.style)}" x="{WIDTH - _RIGHT + 6}" '
        f'y="{place:.1f}" dy="4">{html.escape(line.name)}</text>'
        for place, (_, line) in zip(places, ends, strict=True)
    ]


def _spread_out(levels: Sequence[float], top: float, bottom: float) -> list[float]:
    """Push ascending levels apart to the gap of a label: downwards first, then up from the end."""
    places: list[float] = []
    for level in levels:
        places.append(max(level, places[-1] + _LABEL_GAP) if places else max(level, top))
    floor = bottom
    for index in reversed(range(len(places))):
        places[index] = min(places[index], floor)
        floor = places[index] - _LABEL_GAP
    return places
