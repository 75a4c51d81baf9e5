"""`plumbline replay-outcomes`: what came of logged predictions, worked out from bars and told."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from plumbline.cli.complete import complete_model
from plumbline.cli.output import JsonOption, StoreOption, emit, fail, refusals
from plumbline.cli.registry import existing_store, open_registry
from plumbline.cli.train import moment

if TYPE_CHECKING:
    from plumbline.store.objects import Objects
    from plumbline.store.outcome import OutcomeRow

_CHUNK = 2_000


def replay_outcomes(
    model: Annotated[str, typer.Argument(help="Whose.", autocompletion=complete_model)],
    store: StoreOption,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            help="File of bars: a path, URL or data set.",
            show_default="what the version was trained on",
        ),
    ] = None,
    version: Annotated[
        str, typer.Option("--version", help="Whose predictions: a version or an alias.")
    ] = "champion",
    url: Annotated[
        str | None,
        typer.Option(help="Send them to this service.", show_default="write them to the store"),
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(parser=moment, metavar="TIME", help="Of predictions answered since then."),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, help="Of the newest so many predictions.")
    ] = 100_000,
    time_format: Annotated[
        str | None,
        typer.Option(help="Of strptime, if times are not as in the model's configuration."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what came of logged predictions, as the label of their training has it.

    Predictions are found by symbol and bar; those whose outcome the bars do not reach are left out.
    Telling it twice does no harm.
    """
    from plumbline.store.log import PredictionLog
    from plumbline.training.errors import TrainingError
    from plumbline.training.hindsight import look_back, read_truths

    with refusals():
        registry = open_registry(store, model)
        manifest = registry.manifest(registry.resolve(version))
        objects = existing_store(store)
        rows = PredictionLog(objects, model).read(
            start=since, version=manifest.version, limit=limit
        )
        try:
            source = manifest.data.source if data is None else data
            truths = read_truths(manifest, source, time_format=time_format)
        except TrainingError as error:
            raise fail(str(error)) from error
        found = look_back(manifest, rows, truths, received=time.time_ns() // 1000)
        if url is None:
            _write(objects, found.rows)
        else:
            _send(url, model, found.rows)
    summary = {
        "model": model,
        "version": manifest.version,
        "predictions": len(rows),
        "outcomes": len(found.rows),
        "without_bar": found.without_bar,
        "unknown": found.unknown,
    }
    people = (
        f"{len(found.rows):,} outcomes of {len(rows):,} predictions of {model} {manifest.version}"
        + (f"; {found.without_bar:,} are of no bar in {source}" if found.without_bar else "")
        + (f"; of {found.unknown:,} it is not known what came" if found.unknown else "")
    )
    emit(summary, as_json, people=people)


def _write(objects: Objects, rows: Sequence[OutcomeRow]) -> None:
    from plumbline.store.outcome import write_outcomes

    write_outcomes(objects, rows)


def _send(url: str, model: str, rows: Sequence[OutcomeRow]) -> None:
    """Post outcomes, some at a time, in the order of their predictions."""
    from plumbline.bundle.moment import moment_of
    from plumbline.client import Client, ClientError, Outcome

    outcomes = [
        Outcome(
            prediction_id=row.prediction_id,
            label=row.label,
            value=row.value,
            output=row.output,
            known_at=moment_of(row.known_at),
        )
        for row in rows
    ]
    try:
        with Client(url, model=model, timeout=60.0) as client:
            for start in range(0, len(outcomes), _CHUNK):
                client.outcomes(outcomes[start : start + _CHUNK])
    except ClientError as error:
        raise fail(str(error)) from error
