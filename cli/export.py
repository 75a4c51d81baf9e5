"""A bundle in the form of another tool."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plumbline.cli.models import OneModel, Version
from plumbline.cli.output import JsonOption, StoreOption, emit, fail, refusals

app = typer.Typer(no_args_is_help=True, help=__doc__)


@app.callback()
def export() -> None:
    """A bundle in the form of another tool."""


@app.command()
def mlflow(
    store: StoreOption,
    version: Version,
    to: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="Where to write it.")],
    model: OneModel = None,
    as_json: JsonOption = False,
) -> None:
    """Write a bundle as an MLflow pyfunc, which answers exactly as the service does.

    It takes what `POST /predict` takes as instances, or arrays, and gives the same predictions. It
    needs `plumbline[service]` where it is loaded.
    """
    from plumbline.cli.registry import open_registry
    from plumbline.service.mlflow_export import export_mlflow

    with refusals():
        registry = open_registry(store, model)
        bundle = registry.open(registry.resolve(version))
        try:
            export_mlflow(bundle, to)
        except OSError as error:
            raise fail(f"cannot write {error.filename}: {error.strerror}") from error
    said = {"model": registry.name, "version": bundle.version, "folder": str(to)}
    emit(said, as_json, people=f"{to}: {registry.name} {bundle.version} as an MLflow pyfunc")
