"""What went wrong and what was done about it: list, show, export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plumbline.cli.complete import complete_model
from plumbline.cli.output import JsonOption, StoreOption, emit, fail, refusals, table
from plumbline.cli.registry import existing_store, require_models

if TYPE_CHECKING:
    from plumbline.store.incident import Incident
    from plumbline.store.objects import Objects

app = typer.Typer(no_args_is_help=True, help=__doc__)

_COLUMNS = ("model", "incident", "opened", "verdict", "status", "attempts", "seconds")

OneModel = Annotated[
    str | None,
    typer.Option(
        "--model", help="Name of the model; all if not said.", autocompletion=complete_model
    ),
]
Which = Annotated[str, typer.Argument(help="An incident, the first characters of one, or `last`.")]


@app.command("list")
def list_incidents(
    store: StoreOption,
    model: OneModel = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many of each model.")] = 50,
    json: JsonOption = False,
) -> None:
    """Every incident, the newest last: what it was, how it stands, and how long it took."""
    with refusals():
        found = _incidents(existing_store(store), model)
    lines = [_line(each) for one in found.values() for each in one[-limit:]]
    drawn = table(*_COLUMNS, rows=(line.values() for line in lines))
    emit({"incidents": lines}, json, people=drawn if lines else f"no incidents in {store}")


@app.command()
def show(
    store: StoreOption, incident: Which = "last", model: OneModel = None, json: JsonOption = False
) -> None:
    """One incident: its evidence, its timeline, and where the time went."""
    value, text = _told(store, incident, model)
    emit(value, json, people=text)


@app.command()
def export(
    store: StoreOption,
    incident: Which = "last",
    model: OneModel = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write it here; to stdout if not said."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """The post-mortem of an incident as Markdown, or as one JSON document with `--json`."""
    from json import dumps

    value, text = _told(store, incident, model)
    document = dumps(value, indent=2, ensure_ascii=False) if json else text
    if out is None:
        typer.echo(document)
        return
    try:
        out.write_text(document + "\n" * (not document.endswith("\n")), encoding="utf-8")
    except OSError as error:
        raise fail(f"cannot write {out}: {error.strerror}") from error


def _told(store: str, which: str, model: str | None) -> tuple[dict[str, Any], str]:
    """Return an incident as data and as its post-mortem."""
    from plumbline.cli.post_mortem import post_mortem
    from plumbline.store.acknowledgement import Acknowledgements
    from plumbline.store.job_log import JobLogs
    from plumbline.store.repair_time import BUDGETS, MINUTE, repair_time

    with refusals():
        objects = existing_store(store)
        found = _one(_incidents(objects, model), which)
        seen = Acknowledgements(objects, found.model).all().get(found.id)
        logs = JobLogs(objects, found.model).of(found.id)
    spent = repair_time(found)
    value = {
        **found.model_dump(mode="json"),
        "acknowledgement": seen and seen.model_dump(mode="json"),
        "repair_seconds": {**spent.model_dump(), "total": spent.total},
        "repair_budget": {
            **{stage.value: seconds for stage, seconds in BUDGETS.items()},
            "together": MINUTE,
            "over": [stage.value for stage in spent.over],
        },
        "job_logs": {str(attempt): text for attempt, text in logs.items()},
    }
    return value, post_mortem(found, seen, logs)


def _incidents(objects: Objects, model: str | None) -> dict[str, list[Incident]]:
    """Return the incidents of a model, or of all, oldest first."""
    from plumbline.store.incident import IncidentBook
    from plumbline.store.registry import ModelRegistry

    if model is not None:
        require_models(objects, [model])
    names = [model] if model is not None else ModelRegistry.names(objects)
    return {name: [head.value for head in IncidentBook(objects, name).all()] for name in names}


def _one(incidents: dict[str, list[Incident]], which: str) -> Incident:
    """Return the incident that is meant."""
    every = sorted((each for one in incidents.values() for each in one), key=lambda it: it.opened)
    if not every:
        raise fail("no incidents yet: nothing has gone wrong that the monitor saw")
    if which == "last":
        return every[-1]
    meant = [each for each in every if each.id.startswith(which)]
    if len(meant) == 1:
        return meant[0]
    if meant:
        raise fail(f"{which} could be any of: {', '.join(each.id for each in meant)}")
    raise fail(f"there is no incident {which}: `plumbline incidents list` shows those there are")


def _line(incident: Incident) -> dict[str, Any]:
    """Describe an incident in one line."""
    from plumbline.store.repair_time import repair_time

    return {
        "model": incident.model,
        "incident": incident.id,
        "opened": f"{incident.opened:%Y-%m-%d %H:%M:%S}",
        "verdict": incident.verdict.value,
        "status": incident.status.value,
        "attempts": incident.attempts,
        "seconds": round(repair_time(incident).total, 1),
    }
