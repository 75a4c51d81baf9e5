"""What every command prints: one JSON document, or something for people; and how it fails."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import date
from io import StringIO
from typing import Annotated, TypeAlias

import typer
from pydantic import BaseModel
from rich.console import Console, RenderableType
from rich.table import Column, Table

from plumbline.bundle.errors import BundleError
from plumbline.cli.complete import complete_model
from plumbline.store.errors import StoreError
from plumbline.store.location import VARIABLE, default_store, store_url

_WIDE = 100_000
"""Columns of what is printed where no terminal sets a width: more than any line has."""

StoreOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--store",
        envvar=VARIABLE,
        default_factory=default_store,
        show_default="./.state/store",
        callback=store_url,
        help="Where everything lives: a path, or a file://, s3://, gs:// or az:// URL.",
    ),
]
StoreSetting: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--store",
        envvar=VARIABLE,
        show_default="./.state/store",
        callback=lambda text: store_url(text) if text else None,
        help="Where everything lives: a path, or a file://, s3://, gs:// or az:// URL.",
    ),
]
"""The same for commands with settings of their own, which win where the option is not given."""
ModelOption: TypeAlias = Annotated[
    str, typer.Option("--model", help="Name of the model.", autocompletion=complete_model)
]
AwaitOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--await-model", help="Start although the store has only other models yet, as in a cluster."
    ),
]
JsonOption: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print one JSON document to stdout.")
]


def emit(value: object, as_json: bool, *, people: RenderableType | None = None) -> None:
    """Print a result to stdout.

    Parameters
    ----------
    value
        Records, frozen dataclasses, mappings, sequences and plain values, nested at will.
    as_json
        Print ``value`` as one JSON document, for scripts.
    people
        What to print otherwise, a rich table for instance; ``value`` itself by default.
    """
    if as_json:
        text = json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False)
        typer.echo(text)
    else:
        _print(_plain(value) if people is None else people)


def table(*columns: str, rows: Iterable[Iterable[object]], title: str | None = None) -> Table:
    """Return a table for people; None shows as a dash."""
    drawn = Table(
        *(Column(name, overflow="fold") for name in columns),
        title=title,
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    for row in rows:
        drawn.add_row(*("-" if cell is None else str(cell) for cell in row))
    return drawn


def fail(message: str) -> typer.Exit:
    """Print a message to stderr and return the exit to raise: ``raise fail("no such model")``."""
    typer.echo(f"error: {message}", err=True)
    return typer.Exit(1)


@contextmanager
def refusals() -> Iterator[None]:
    """Turn what the store and bundles refuse into a message and exit 1."""
    try:
        yield
    except (StoreError, BundleError) as error:
        raise fail(str(error)) from error


def _print(what: RenderableType | object) -> None:
    """Print at the width of the terminal; into a pipe or a file at whatever width it takes."""
    console = Console()
    if console.is_terminal:
        console.print(what)
        return
    whole = Console(file=StringIO(), width=_WIDE)
    with whole.capture() as captured:
        whole.print(what)
    typer.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def _plain(value: object) -> object:
    """Turn a value into what `json.dumps` takes."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return value
