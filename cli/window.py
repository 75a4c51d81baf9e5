"""`plumbline window`: a request body from a file of bars."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from plumbline.cli.output import ModelOption, StoreOption, fail, refusals
from plumbline.cli.registry import open_registry
from plumbline.cli.train import moment

if TYPE_CHECKING:
    from plumbline.bundle.manifest import Manifest


def window(
    store: StoreOption,
    data: Annotated[str, typer.Option("--data", help="File of bars: a path, URL or data set.")],
    model: ModelOption = "eurusd-1h",
    version: Annotated[
        str, typer.Option("--version", help="The bundle to be asked: a version or an alias.")
    ] = "champion",
    symbol: Annotated[
        str | None, typer.Option("--symbol", help="Whose bars, if the model knows several.")
    ] = None,
    at: Annotated[
        datetime | None,
        typer.Option(
            parser=moment,
            metavar="TIME",
            show_default="now",
            help="The newest bar that had closed by then is the window's last.",
        ),
    ] = None,
    time_format: Annotated[
        str | None,
        typer.Option(help="Of strptime, if times are not as in the model's configuration."),
    ] = None,
) -> None:
    """Print the body of a `/predict` request about the newest window of a file of bars.

    Its rows are computed as in training. It can be sent on as it is:
    `curl -H content-type:application/json -d @body.json http://127.0.0.1:3000/predict`.
    """
    from plumbline.training.errors import TrainingError
    from plumbline.training.window import read_window

    with refusals():
        manifest = _manifest(store, model, version)
    try:
        found = read_window(
            manifest, data, at=at or datetime.now(UTC), symbol=symbol, time_format=time_format
        )
    except TrainingError as error:
        raise fail(str(error)) from error
    typer.echo(json.dumps(found.request(manifest), ensure_ascii=False, allow_nan=False))


def _manifest(store: str, model: str, version: str) -> Manifest:
    registry = open_registry(store, model)
    return registry.manifest(registry.resolve(version))
