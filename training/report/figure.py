"""The plots of a run's page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from plumbline.drawing.plot import Line, line_plot
from plumbline.store.run import RunRecord, ValidationPicture

WIDTH, HEIGHT = 460, 230
"""Narrow enough that letters can be read on a phone."""


def loss_plot(record: RunRecord) -> str:
    """Draw the loss of both parts over the epochs; empty if none has ended."""
    if not record.epochs:
        return ""
    numbers = [float(epoch.number) for epoch in record.epochs]
    lines = [
        Line("train", "series-1", [epoch.train for epoch in record.epochs], marked=True),
        Line("calibration", "series-2", [e.calibration for e in record.epochs], marked=True),
    ]
    best = record.best_epoch or 1
    ticks = sorted({numbers[0]: "1", float(best): f"best: {best}", numbers[-1]: ""}.items())
    last = f"{len(numbers)} epochs" if best != len(numbers) else f"best: {best}"
    ticks[-1] = (numbers[-1], last)
    return _draw("Loss of both parts by epoch", numbers, lines, bottom=None, x_ticks=ticks)


def reliability_plot(picture: ValidationPicture) -> str:
    """Draw what was said against what was, beside the diagonal where both have the same unit."""
    low, high = picture.ends
    lines = []
    if picture.kind != "score":
        lines.append(Line("ideal", "ideal", [low, high], at=[low, high]))
    for place, name in enumerate(picture.names):
        if bins := picture.reliability[name]:
            was, said = [each.was for each in bins], [each.said for each in bins]
            lines.append(Line(name, _style(place, picture), was, at=said, marked=True))
    shares = picture.kind == "choice"
    return _draw(
        "What was, by what was said",
        picture.ends,
        lines,
        top=1.0 if shares else None,
        bottom=0.0 if shares else None,
        percent=shares,
        x_ticks=_said(picture),
    )


def histogram(picture: ValidationPicture) -> str:
    """Draw how often each probability, forecast or score was given."""
    low, high = picture.ends
    lines = []
    edges: list[float] = []
    for place, name in enumerate(picture.names):
        counts = picture.histogram[name]
        step = (high - low) / len(counts)
        edges = [low + edge * step for each in range(len(counts)) for edge in (each, each + 1)]
        shares = [count / max(picture.rows, 1) for count in counts for _ in range(2)]
        lines.append(Line(name, _style(place, picture), shares))
    title = "Share of rows by what was said"
    return _draw(title, edges, lines, percent=True, x_ticks=_said(picture))


def _style(place: int, picture: ValidationPicture) -> str:
    return f"series-{place % 5}" if len(picture.names) > 1 else "series-2"


def _said(picture: ValidationPicture) -> list[tuple[float, str]]:
    """Return the ends of what was said and its middle, as the x axis has them."""
    low, high = picture.ends
    values = (low, (low + high) / 2, high)
    if picture.kind == "choice":
        texts = [f"{value:.0%}" for value in values]
        texts[1] = f"probability {texts[1]}"
    else:
        texts = [f"{value:.3g}" for value in values]
        texts[1] = f"{'score' if picture.kind == 'score' else 'forecast'} {texts[1]}"
    return list(zip(values, texts, strict=True))


def equity_plot(picture: ValidationPicture) -> str:
    """Draw the cumulated label return of the suggested sizes; empty if none can be told."""
    equity = picture.equity
    if equity is None or len(equity.time) < 2:
        return ""
    moments = [moment.timestamp() for moment in equity.time]
    styles = ("series-2", "series-1")
    lines = [
        Line(line.name, style, line.values, reference=0.0 if style == styles[0] else None)
        for style, line in zip(styles, equity.lines, strict=True)
    ]
    title = "Cumulated label return of the suggested sizes, hypothetical"
    ticks = _dates(equity.time)
    return _draw(title, moments, lines, bottom=None, percent=True, x_ticks=ticks)


def _dates(times: Sequence[datetime]) -> list[tuple[float, str]]:
    middle = times[0] + (times[-1] - times[0]) / 2
    return [(moment.timestamp(), f"{moment:%Y-%m-%d}") for moment in (times[0], middle, times[-1])]


def _draw(
    title: str,
    xs: Sequence[float],
    lines: Sequence[Line],
    *,
    x_ticks: Sequence[tuple[float, str]],
    top: float | None = None,
    bottom: float | None = 0.0,
    percent: bool = False,
) -> str:
    return line_plot(
        title,
        xs,
        lines,
        x_ticks=x_ticks,
        top=top,
        bottom=bottom,
        percent=percent,
        width=WIDTH,
        height=HEIGHT,
    )
