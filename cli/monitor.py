"""`plumbline monitor`: watch a model, say what is wrong with it, and repair it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plumbline.cli.complete import complete_config, complete_model
from plumbline.cli.output import AwaitOption, StoreSetting, fail
from plumbline.cli.registry import await_models


def monitor(
    store: StoreSetting = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Name of the model to watch.",
            show_default="eurusd-1h",
            autocompletion=complete_model,
        ),
    ] = None,
    service_url: Annotated[
        str | None, typer.Option(help="Where the service answers; the canary asks it.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address of the status page.")] = None,
    port: Annotated[int | None, typer.Option(help="Port of the status page.")] = None,
    train_config: Annotated[
        str | None,
        typer.Option(
            help="Configuration of retrains, a name or a file, for the same bars.",
            autocompletion=complete_config,
            show_default="that of the version that serves",
        ),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(help="Folder of the jobs it starts.", show_default="./.state/monitor"),
    ] = None,
    settings: Annotated[Path | None, typer.Option(help="TOML file with all settings.")] = None,
    await_model: AwaitOption = False,
) -> None:
    """Watch the champion of a model until Ctrl-C; the status page is on port 3001.

    Settings come from the file, the environment (PLUMBLINE_MONITORING_…) and these options, in
    that order; docs/monitoring.md lists them.
    """
    from plumbline.monitoring.errors import MonitoringError
    from plumbline.monitoring.process import run
    from plumbline.monitoring.settings import MonitoringSettings
    from plumbline.store.errors import StoreError
    from plumbline.store.logs import configure_logging

    try:
        loaded = MonitoringSettings.load(
            settings,
            store=store,
            model=model,
            service_url=service_url,
            host=host,
            port=port,
            train_config=train_config,
            state=state,
        )
        configure_logging()
        await_models(loaded.store, [loaded.model], patient=await_model)
        run(loaded)
    except (MonitoringError, StoreError) as error:
        raise fail(str(error)) from error
