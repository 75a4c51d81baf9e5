"""What trainings left behind: list, show, compare."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group, RenderableType

from plumbline.bundle.suggestion import suggestion
from plumbline.cli.output import JsonOption, StoreOption, emit, fail, refusals, table
from plumbline.cli.registry import existing_store

if TYPE_CHECKING:
    from plumbline.store.objects import Objects
    from plumbline.store.run import RunBegun, RunRecord, Runs

app = typer.Typer(no_args_is_help=True, help=__doc__)

_COLUMNS = (
    "model",
    "run",
    "config",
    "ended",
    "seconds",
    "gain",
    "log loss",
    "constant's",
    "version",
)

OneModel = Annotated[
    str | None, typer.Option("--model", help="Name of the model; need not be said if it is alone.")
]
Run = Annotated[
    str, typer.Argument(help="A run, the first characters of one, the version it made, or `last`.")
]


@app.command("list")
def list_runs(
    store: StoreOption,
    model: OneModel = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many of each model.")] = 50,
    json: JsonOption = False,
) -> None:
    """Every training and refit, the newest last: how it ended, and what it made."""
    from plumbline.store.run import Runs

    with refusals():
        objects = existing_store(store)
        names = [model] if model else Runs.models(objects)
        lines = [line for name in names for line in _lines(Runs(objects, name), limit)]
    drawn = table(*_COLUMNS, rows=(line.values() for line in lines))
    empty = f"no runs in {store}: every `plumbline train` leaves one"
    emit({"runs": lines}, json, people=drawn if lines else empty)


@app.command()
def show(
    store: StoreOption,
    run: Run = "last",
    model: OneModel = None,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="Save its page here, as HTML.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Everything about one run, and where its page lies; `--report FILE` saves the page."""
    from plumbline.store.run import RunRecord

    with refusals():
        objects = existing_store(store)
        runs = _runs(objects, model)
        found = runs.read(runs.resolve(run))
        done = isinstance(found, RunRecord)
        page = f"{objects.url.rstrip('/')}/{runs.report_key(found.id)}" if done else None
        if report is not None:
            if page is None:
                raise fail(f"{found.id} has not ended, or was killed: it has no page")
            _save(report, runs.report(found.id))
    value = {**found.model_dump(mode="json"), "report": page}
    if isinstance(found, RunRecord):
        emit(value, json, people=_told(found, page))
    else:
        emit(value, json, people=f"{found.id} has begun and not ended, or was killed")


@app.command()
def compare(
    store: StoreOption,
    runs: Annotated[
        list[str], typer.Argument(help="Two or more runs, named as for `show`.", metavar="RUN...")
    ],
    model: OneModel = None,
    json: JsonOption = False,
) -> None:
    """Two or more runs side by side: where their configurations differ, and their metrics."""
    if len(runs) < 2:
        raise typer.BadParameter("give two runs at least")
    with refusals():
        shelf = _runs(existing_store(store), model)
        records = [_record(shelf, shelf.resolve(text)) for text in runs]
    names = [record.id for record in records]
    facts = _side_by_side([_facts(record) for record in records])
    configuration = _side_by_side([_flat(record.experiment) for record in records], differing=True)
    metrics = _side_by_side([dict(record.metrics) for record in records])
    value = {"runs": names, "facts": facts, "configuration": configuration, "metrics": metrics}
    parts = (("", facts), ("configuration", configuration), ("on validation", metrics))
    drawn = [
        table(title, *names, rows=[(name, *map(_short, row)) for name, row in rows.items()])
        for title, rows in parts
        if rows
    ]
    emit(value, json, people=Group(*(part for one in drawn for part in (one, ""))))


def _runs(objects: Objects, model: str | None) -> Runs:
    """Return the runs of a model, or of the only one there is."""
    from plumbline.store.run import Runs

    names = Runs.models(objects)
    if not names:
        raise fail(f"no runs in {objects.url}: every `plumbline train` leaves one")
    if model is None and len(names) > 1:
        raise fail(f"several models have runs, say which with --model: {', '.join(names)}")
    if model is not None and model not in names:
        raise fail(f"no runs of {model} in {objects.url}: {suggestion(model, names)}")
    return Runs(objects, model or names[0])


def _lines(runs: Runs, limit: int) -> list[dict[str, Any]]:
    return [_line(runs.read(run)) for run in reversed(runs.ids()[:limit])]


def _line(run: RunBegun | RunRecord) -> dict[str, Any]:
    """Describe a run in one line."""
    from plumbline.store.run import RunRecord

    done = run if isinstance(run, RunRecord) else None
    return {
        "model": run.model,
        "run": run.id,
        "config": _called(run),
        "ended": done and done.end.value,
        "seconds": done and round(done.seconds, 1),
        "gain": done and _rounded(done.metrics.get("gain")),
        "log_loss": done and _rounded(done.metrics.get("log_loss")),
        "log_loss_constant": done and _rounded(done.metrics.get("log_loss_constant")),
        "version": done and done.version,
    }


def _called(run: RunBegun) -> str:
    """Return the configuration as it was asked for."""
    return " ".join([run.config or "-", *(f"--set {each}" for each in run.overrides)])


def _record(runs: Runs, run: str) -> RunRecord:
    from plumbline.store.run import RunRecord

    found = runs.read(run)
    if not isinstance(found, RunRecord):
        raise fail(f"{run} has not ended, or was killed: there is nothing to compare")
    return found


def _facts(record: RunRecord) -> dict[str, Any]:
    return {
        "began": f"{record.began:%Y-%m-%d %H:%M:%S}",
        "config": _called(record),
        "ended": record.end.value,
        "verdict": record.verdict.value if record.verdict else None,
        "version": record.version,
        "seconds": round(record.seconds, 1),
        "epochs": len(record.epochs),
        "best epoch": record.best_epoch,
    }


def _told(record: RunRecord, page: str | None) -> Group:
    facts = {
        "model": f"{record.model}, {record.kind} {record.id}",
        **_facts(record),
        "message": record.message or None,
        "reasons": "; ".join(record.reasons) or None,
        "parent": record.parent,
        "continues": record.continues,
        "rows": ", ".join(f"{name} {count}" for name, count in record.rows.items()),
        "stages": ", ".join(f"{stage.name} {stage.seconds:.1f} s" for stage in record.stages),
        "environment": f"python {record.environment.python}, {record.environment.cpu}, "
        f"{record.environment.threads} of {record.environment.cores} cores",
        "commit": record.environment.commit,
        "page": page,
    }
    epochs = [
        (
            e.number,
            f"{e.train:.4f}",
            f"{e.calibration:.4f}",
            "best" * (e.number == record.best_epoch),
        )
        for e in record.epochs
    ]
    metrics = [(name, f"{value:.4g}") for name, value in sorted(record.metrics.items())]
    parts: list[RenderableType] = [
        table("", "", rows=[(k, v) for k, v in facts.items() if v is not None and v != ""])
    ]
    if epochs:
        parts += ["", table("epoch", "train", "calibration", "", rows=epochs)]
    if metrics:
        parts += ["", table("on validation", "", rows=metrics)]
    return Group(*parts)


def _side_by_side(
    columns: Sequence[dict[str, Any]], *, differing: bool = False
) -> dict[str, list[Any]]:
    """Return the values of each name, one per run; None where a run has none."""
    names = list(dict.fromkeys(name for column in columns for name in column))
    rows = {name: [column.get(name) for column in columns] for name in names}
    if not differing:
        return rows
    return {name: row for name, row in rows.items() if any(value != row[0] for value in row)}


def _flat(values: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(values, dict):
        return {prefix: values}
    result: dict[str, Any] = {}
    for name, value in values.items():
        result |= _flat(value, f"{prefix}.{name}" if prefix else name)
    return result


def _short(value: object) -> object:
    return f"{value:.4g}" if isinstance(value, float) else value


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _save(path: Path, text: str) -> None:
    try:
        path.write_text(text)
    except OSError as error:
        raise fail(f"cannot write {path}: {error.strerror}") from error
