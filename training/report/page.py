"""Renders the record of a run as one self-contained HTML page."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup
from pydantic import JsonValue

from plumbline.store.run import RunEnd, RunRecord
from plumbline.training.report.figure import equity_plot, histogram, loss_plot, reliability_plot

MEANING = {
    RunEnd.FINISHED: "It passed its gate.",
    RunEnd.REFUSED: "The bundle is written and kept, but its gate refused it: it is not promoted.",
    RunEnd.FAILED: "It could not go on. No bundle was written.",
    RunEnd.INTERRUPTED: "Somebody stopped it. No bundle was written.",
}
_TONE = {RunEnd.FINISHED: "well", RunEnd.INTERRUPTED: "calm"}


def render_report(record: RunRecord) -> str:
    """Return the page of a run; every name and message in it is escaped."""
    return _template().render(
        run=record,
        meaning=MEANING[record.end],
        tone=_TONE.get(record.end, "bad"),
        gained=gained(record),
        plots=_plots(record),
        configuration=flat(record.experiment),
    )


def gained(record: RunRecord) -> float | None:
    """Return the share of the constant's log loss that the model saves on validation, if known."""
    constant, own = record.metrics.get("log_loss_constant"), record.metrics.get("log_loss")
    return None if not constant or own is None else 1 - own / constant


def flat(values: JsonValue, prefix: str = "") -> dict[str, str]:
    """Return nested values as ``fit.epochs`` and the like, written as TOML would."""
    if not isinstance(values, dict):
        return {prefix: _written(values)}
    result: dict[str, str] = {}
    for name, value in values.items():
        result |= flat(value, f"{prefix}.{name}" if prefix else name)
    return result


def _written(value: JsonValue) -> str:
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _plots(record: RunRecord) -> dict[str, Markup]:
    """Draw what there is; each plot escapes its names where it is made."""
    picture = record.picture
    drawn = {
        "loss": loss_plot(record),
        "reliability": reliability_plot(picture) if picture else "",
        "histogram": histogram(picture) if picture else "",
        "equity": equity_plot(picture) if picture else "",
    }
    return {name: Markup(text) for name, text in drawn.items()}  # noqa: S704  # escaped there


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(str(files("plumbline.training.report"))),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = {"stamp": stamp, "words": lambda text: text.replace("_", " ")}
    environment.filters.update(filters)
    return environment.get_template("run.html")


def stamp(moment: datetime) -> str:
    """Return a time as ``2017-06-01 12:00:00``, in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
