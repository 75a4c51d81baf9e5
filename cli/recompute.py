"""`plumbline recompute`: hold what clients sent against what training computes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from plumbline.cli.output import JsonOption, ModelOption, StoreOption, emit, fail, refusals, table
from plumbline.cli.registry import existing_store, open_registry

if TYPE_CHECKING:
    from plumbline.bundle.archive import Bundle
    from plumbline.diagnosis.exact.recomputed import Recomputed
    from plumbline.store.objects import Objects


def recompute(
    store: StoreOption,
    model: ModelOption = "eurusd-1h",
    version: Annotated[
        str, typer.Option("--version", help="Whose inputs: a version or an alias.")
    ] = "champion",
    bars: Annotated[
        str | None,
        typer.Option(
            "--bars",
            help="File of bars: a path, URL or data set.",
            show_default="what the version was trained on",
        ),
    ] = None,
    rows: Annotated[int, typer.Option("--rows", min=20, help="Newest rows of each symbol.")] = 200,
    symbol: Annotated[
        list[str] | None,
        typer.Option("--symbol", help="Whose; everybody's by default. May be repeated."),
    ] = None,
    time_format: Annotated[
        str | None,
        typer.Option(help="Of strptime, if times are not as in the model's configuration."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Compute the newest logged inputs again from bars, and name how the client's columns differ.

    Exit 1 if they do. The monitor asks the same by itself; docs/detection.md says when.
    """
    with refusals():
        registry = open_registry(store, model)
        objects, bundle = existing_store(store), registry.open(registry.resolve(version))
    source = bundle.manifest.data.source if bars is None else bars
    found = _recompute(objects, bundle, source, rows, symbol or [], time_format)
    if json:
        emit(found, as_json=True)
    else:
        _print(found)
    if found.wrong:
        raise typer.Exit(1)


def _recompute(
    objects: Objects,
    bundle: Bundle,
    source: str,
    rows: int,
    symbols: list[str],
    time_format: str | None,
) -> Recomputed:
    from plumbline.training.errors import TrainingError
    from plumbline.training.recompute import recompute as compute

    with refusals():
        try:
            return compute(
                objects, bundle, source, rows=rows, symbols=symbols, time_format=time_format
            )
        except TrainingError as error:
            raise fail(str(error)) from error


def _print(found: Recomputed) -> None:
    """Print for people: the sentence, every column that differs, and what was left out."""
    typer.echo(f"{found.model} {found.version} against {found.bars}\n{found.verdict}")
    cells = [
        (said, each.column, each.relation, f"{each.share:.0%}", f"{each.deviations:.3g}")
        for said, columns in (("wrong", found.wrong), ("differs", found.open))
        for each in columns
    ]
    columns = ("", "column", "it is", "of rows", "deviations off")
    if cells:
        emit(None, False, people=table(*columns, rows=cells))
    for reason, count in found.skipped.items():
        typer.echo(f"{count} rows {reason} were left out")
