"""`plumbline predict`: many rows at once, by a bundle or by a service."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plumbline.cli.complete import complete_model
from plumbline.cli.output import JsonOption, StoreOption, emit, fail
from plumbline.cli.registry import open_registry
from plumbline.cli.train import reporting

if TYPE_CHECKING:
    from plumbline.cli.bulk_answer import Answerer
    from plumbline.training.packing.rows import Rows


def predict(
    file: Annotated[
        str,
        typer.Argument(
            help="Rows to judge: .csv or .parquet with time, perhaps symbol and group, and the "
            "model's columns; with --bars a file of bars, a URL or a data set."
        ),
    ],
    store: StoreOption,
    model: Annotated[
        str | None,
        typer.Option(
            help="Name of the model; need not be said if it is alone.",
            autocompletion=complete_model,
        ),
    ] = None,
    version: Annotated[
        str, typer.Option(help="The bundle that answers: a version or an alias.")
    ] = "champion",
    url: Annotated[
        str | None,
        typer.Option(help="Ask this service instead; it logs each row, as for every client."),
    ] = None,
    bars: Annotated[
        bool,
        typer.Option("--bars", help="The file holds bars; columns are computed as in training."),
    ] = False,
    symbol: Annotated[
        str | None,
        typer.Option(help="Of --bars: whose, or what to call them if the file does not."),
    ] = None,
    time_format: Annotated[
        str | None, typer.Option(help="Of --bars: of strptime, if times are not in ISO 8601.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="File to write: .parquet, .csv or .ndjson.", show_default="stdout"),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="parquet, csv or ndjson.",
            show_default="by the name of --out, csv for stdout",
        ),
    ] = None,
    batch: Annotated[
        int | None, typer.Option(min=1, help="Rows asked about at once.", show_default="up to 1024")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Judge every row of a file that has a whole window of its symbol before it.

    The answers are those that the service gives, cross-sections whole. A bundle's sizes are those
    of a healthy model, nothing is logged; a service's are 0 while its verdict is an unhealthy one.
    """
    from plumbline.cli.bulk_source import Source
    from plumbline.cli.bulk_table import FORMATS, format_of, sink, to_table
    from plumbline.training.packing.rows import read_table, sorted_rows

    kind = format_of(out, form)
    if kind is None:
        raise typer.BadParameter(
            f"expected one of {', '.join(FORMATS)}, got "
            f"{form or (out.name if out else '')!r}: name --out so, or say --format"
        )
    if as_json and out is None:
        raise typer.BadParameter("--json prints a summary to stdout: say --out for the predictions")
    began = time.monotonic()
    with _complaints() as report:
        report("reading", 0.0)
        table = None if bars else read_table(Path(file))
        columns = () if table is None else tuple(table.column_names)
        with _answerer(store, model, version, url, columns) as answerer:
            if table is not None:
                _refuse_without_bars(answerer, file, columns)
                rows = sorted_rows(table, file, source=file)
            else:
                rows = _bar_rows(file, answerer, store, symbol, time_format)
            source = Source(
                rows, answerer.inputs, whole=answerer.whole, batch=batch or answerer.batch
            )
            done = 0
            with sink(out, kind) as to:
                for some in source:
                    found = answerer.answer(some)
                    to.write(to_table(some, found, whole=answerer.whole))
                    done += len(some)
                    report(f"judging, {done:,} of {len(source):,} rows", done / len(source))
    summary = {
        "model": answerer.name,
        "rows": done,
        "without_window": source.skipped,
        "out": None if out is None else str(out),
        "seconds": round(time.monotonic() - began, 2),
    }
    people = (
        f"{done:,} predictions of {answerer.name} in {summary['seconds']} s"
        + (f", {source.skipped} rows had no whole window" if source.skipped else "")
        + (f": {out}" if out else "")
    )
    if out is None:
        typer.echo(people, err=True)
    else:
        emit(summary, as_json, people=people)


@contextmanager
def _complaints() -> Iterator[Callable[[str, float], None]]:
    """Show progress, and turn what went wrong into a message and exit 1."""
    from plumbline.client import ClientError

    try:
        with reporting() as report:
            yield report
    except ClientError as error:
        raise fail(str(error)) from error


@contextmanager
def _answerer(
    store: str, model: str | None, version: str, url: str | None, columns: Sequence[str]
) -> Iterator[Answerer]:
    """Yield who answers: a bundle of the store, or a service."""
    from plumbline.cli.bulk_answer import BundleAnswerer, ServiceAnswerer, served_model
    from plumbline.client import Client

    if url is None:
        registry = open_registry(store, model)
        yield BundleAnswerer(registry.open(registry.resolve(version)))
        return
    with Client(url, model=model, timeout=60.0) as client:
        yield ServiceAnswerer(client, served_model(client, model), columns)


def _refuse_without_bars(answerer: Answerer, file: str, columns: Sequence[str]) -> None:
    """Refuse a file of bars that nobody said is one."""
    if answerer.takes_bars:
        raise fail(
            f"{answerer.name} takes bars and computes its columns itself: if {file} holds bars, "
            "say --bars"
        )
    wanted = {name for spec in answerer.inputs for name in spec.names}
    found = {name.lower() for name in columns}
    if not wanted & set(columns) and {"open", "high", "low", "close"} <= found:
        raise fail(
            f"{file} holds bars and none of the {len(wanted)} columns that {answerer.name} takes: "
            "say --bars to have them computed"
        )


def _bar_rows(
    file: str, answerer: Answerer, store: str, symbol: str | None, time_format: str | None
) -> Rows:
    """Read bars as the rows that are asked about."""
    from plumbline.training.bar_rows import read_bar_rows, read_feature_rows

    if answerer.takes_bars:
        return read_bar_rows(
            file,
            interval_seconds=answerer.interval_seconds,
            symbol=symbol,
            time_format=time_format,
        )
    manifest = answerer.manifest
    if manifest is None:  # a service does not say how its columns are computed; the bundle does
        manifest = open_registry(store, answerer.name).manifest(answerer.version)
    return read_feature_rows(file, manifest, symbol=symbol, time_format=time_format)
