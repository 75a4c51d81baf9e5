"""Lines as SVG text, drawn where the page is made: no library, no build step, no script.

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
_LETTER = 7.2
"""Width of a letter of a label, on the safe side."""
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
    at
        Its own x of each value, where the lines of a plot do not share them.
    marked
        Whether each value gets a dot.
    """

    name: str
    style: str
    values: Sequence[float | None]
    reference: float | None = None
    at: Sequence[float] | None = None
    marked: bool = False


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
    bottom: float | None = 0.0,
    percent: bool = False,
    unit: str = "predictions",
    x_ticks: Sequence[tuple[float, str]] = (),
    width: int = WIDTH,
    height: int = HEIGHT,
) -> str:
    """Draw lines over the predictions seen, or over anything else that goes forward.

    Parameters
    ----------
    title
        Read out in place of the picture.
    xs : n numbers
        Ascending: rows since promotion, for instance.
    lines
        With n values each.
    top
        Upper end of the y axis; by default just above the largest value.
    bottom
        Lower end of the y axis; None for just below the smallest value.
    percent
        Label the y axis in per cent.
    unit
        Of the x axis, written behind its last number.
    x_ticks
        Places on the x axis and what to write there; by default its ends and its middle.
    width, height
        Of the drawing; on a narrow page a narrow one keeps its letters readable.

    Returns
    -------
    str
        An ``<svg>`` element; names in it are escaped.
    """
    known = [v for line in lines for v in (*line.values, line.reference) if v is not None]
    known = [value for value in known if math.isfinite(value)]
    y = _Scale(*_range(known, bottom, top), height - _BOTTOM, _TOP)
    places = [*xs, *(place for line in lines for place in line.at or ())]
    right = width - _margin(lines, width)
    x = _Scale(min(places, default=0), max(places, default=1), _LEFT, right)
    parts = [
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{html.escape(title)}">',
        *_y_axis(y, x, percent),
        *_x_axis(x, height, x_ticks or _thirds(x, unit)),
    ]
    for line in lines:
        if line.reference is not None:
            level = f"{y.at(line.reference):.1f}"
            ends = f'x1="{_LEFT}" x2="{x.end:.0f}" y1="{level}" y2="{level}"'
            parts.append(f'<line class="reference {html.escape(line.style)}" {ends}/>')
        parts += _stroke(line, xs if line.at is None else line.at, x, y)
    parts += _labels(lines, x, y)
    return "".join(parts) + "</svg>"


def _margin(lines: Sequence[Line], width: int) -> float:
    """Return the room that the longest name needs, a third of the drawing at most."""
    longest = max((len(line.name) for line in lines), default=0)
    return min(max(_RIGHT, 12 + _LETTER * longest), width / 3)


def _range(known: Sequence[float], bottom: float | None, top: float | None) -> tuple[float, float]:
    """Return the ends of the y axis, so that its ticks read well."""
    if bottom is not None:
        return bottom, top if top is not None else _round_up(max(known, default=1.0) * 1.05)
    low, high = min(known, default=0.0), max(known, default=1.0) if top is None else top
    step = _step(low, high)
    ends = math.floor(low / step) * step, math.ceil(high / step) * step
    return ends if ends[0] < ends[1] else (ends[0], ends[1] + step)


def _stroke(line: Line, xs: Sequence[float], x: _Scale, y: _Scale) -> list[str]:
    style = html.escape(line.style)
    parts = [f'<path class="line {style}" d="{_path(xs, line.values, x, y)}"/>']
    if line.marked:
        parts += [
            f'<circle class="mark {style}" cx="{x.at(place):.1f}" cy="{y.at(value):.1f}" r="3"/>'
            for place, value in zip(xs, line.values, strict=True)
            if value is not None and math.isfinite(value)
        ]
    return parts


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


def _y_axis(y: _Scale, x: _Scale, percent: bool) -> list[str]:
    parts = []
    for value in _ticks(y, percent):
        level = f"{y.at(value):.1f}"
        text = _percent(value, y) if percent else f"{value:.3g}"
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{x.end:.0f}" y1="{level}" y2="{level}"/>'
            f'<text class="tick" x="{_LEFT - 6}" y="{level}" dy="4" text-anchor="end">{text}</text>'
        )
    return parts


def _ticks(y: _Scale, percent: bool) -> list[float]:
    """Return quarters from zero, or round numbers where the axis begins elsewhere."""
    if y.low == 0:
        step = _TICK if percent and y.high > 2 * _TICK else y.high / 4
        return [tick * step for tick in range(int(y.high / step + 1e-9) + 1)]
    step = _step(y.low, y.high)
    first, last = math.ceil(y.low / step - 1e-9), math.floor(y.high / step + 1e-9)
    return [tick * step + 0.0 for tick in range(first, last + 1)]


def _percent(value: float, y: _Scale) -> str:
    digits = max(0, -math.floor(math.log10(_step(y.low, y.high) * 100) + 1e-9))
    return f"{value:.{digits}%}"


def _step(low: float, high: float) -> float:
    """Return the next of 1, 2, 5, 10 times a power of ten above a quarter of the range."""
    span = high - low
    if span <= 0 or not math.isfinite(span):
        return 1.0
    power = 10.0 ** math.floor(math.log10(span / 4))
    return next(power * step for step in (1, 2, 5, 10) if span / 4 <= power * step * (1 + 1e-9))


def _round_up(value: float) -> float:
    """Return the next of 1, 2, 4, 6, 8, 10 times a power of ten, so that quarters read well."""
    if value <= 0 or not math.isfinite(value):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(power * step for step in (1, 2, 4, 6, 8, 10) if value <= power * step)


def _thirds(x: _Scale, unit: str) -> list[tuple[float, str]]:
    """Return both ends of the x axis and its middle; the last with the unit."""
    values = [x.low + share * (x.high - x.low) for share in (0.0, 0.5, 1.0)]
    texts = [f"{value:,.0f}" for value in values]
    return list(zip(values, [*texts[:2], f"{texts[2]} {unit}"], strict=True))


def _x_axis(x: _Scale, height: int, ticks: Sequence[tuple[float, str]]) -> list[str]:
    anchors = ["start", *["middle"] * (len(ticks) - 2), "end"][: len(ticks)]
    return [
        f'<text class="tick" x="{x.at(value):.1f}" y="{height - 6}" text-anchor="{anchor}">'
        f"{html.escape(text)}</text>"
        for (value, text), anchor in zip(ticks, anchors, strict=True)
    ]


def _labels(lines: Sequence[Line], x: _Scale, y: _Scale) -> list[str]:
    """Write each line's name where it ends, pushed apart where they would overlap."""
    ends = []
    for line in lines:
        last = next((v for v in reversed(line.values) if v is not None), None)
        if last is not None:
            ends.append((y.at(last), line))
    ends.sort(key=lambda end: end[0])
    places = _spread_out([level for level, _ in ends], _TOP, y.start)
    return [
        f'<text class="label {html.escape(line.style)}" x="{x.end + 6:.0f}" '
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
