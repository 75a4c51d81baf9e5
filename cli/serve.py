"""``plumbline serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plumbline.cli.complete import complete_model
from plumbline.cli.output import AwaitOption, StoreSetting, fail
from plumbline.cli.registry import await_models


def serve(
    store: StoreSetting = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model", help="Model to serve; repeat for several.", autocompletion=complete_model
        ),
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="IP address to listen on.", show_default="127.0.0.1")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port of the HTTP API.", show_default="3000")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes.", show_default="2")] = None,
    admin_port: Annotated[
        int | None, typer.Option(help="Port of the admin API.", show_default="3002")
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(help="Spool, metrics, admin token.", show_default="./.state/service"),
    ] = None,
    await_model: AwaitOption = False,
) -> None:
    """Serve the champion of one or more models over HTTP, until Ctrl-C.

    Options win over PLUMBLINE_SERVICE_* variables, those over the file named by
    PLUMBLINE_SERVICE_FILE; docs/settings.md has them all. Ask GET /readyz whether a model is
    loaded, GET /openapi.json what can be sent.
    """
    from plumbline.service.server import ServeError
    from plumbline.service.server import serve as run
    from plumbline.service.settings import ServiceSettings, SettingsError
    from plumbline.store.errors import StoreError
    from plumbline.store.logs import configure_logging

    try:
        settings = ServiceSettings.load(
            store=store,
            models=tuple(model) if model else None,
            host=host,
            port=port,
            workers=workers,
            admin_port=admin_port,
            state=state,
        )
    except SettingsError as error:
        raise fail(str(error)) from error
    configure_logging()
    try:
        await_models(settings.store, list(settings.models), patient=await_model)
        run(settings)
    except (ServeError, StoreError) as error:
        raise fail(str(error)) from error
