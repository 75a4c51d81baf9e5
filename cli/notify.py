"""`plumbline notify`: how people are told, what they were told, and a message to try it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plumbline.cli.complete import complete_model
from plumbline.cli.output import JsonOption, StoreSetting, emit, fail, table

if TYPE_CHECKING:
    from plumbline.monitoring.settings import MonitoringSettings
    from plumbline.store.delivery import Delivery

_COLUMNS = ("message", "occasion", "status", "attempts", "time", "receiver", "detail")


def notify(
    test: Annotated[
        bool, typer.Option("--test", help="Send a message that says that it is a test.")
    ] = False,
    store: StoreSetting = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Name of the model.", show_default="eurusd-1h", autocompletion=complete_model
        ),
    ] = None,
    settings: Annotated[
        Path | None, typer.Option(help="TOML file with the monitor's settings.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many incidents.")] = 10,
    json: JsonOption = False,
) -> None:
    """What people were told of the newest incidents; with `--test`, a message to try it.

    Settings are the monitor's: `notify_url` and its neighbours, from the file and the environment
    (PLUMBLINE_MONITORING_…); docs/notifications.md explains them.
    """
    from plumbline.monitoring.errors import SettingsError
    from plumbline.monitoring.settings import MonitoringSettings
    from plumbline.store.errors import StoreError

    try:
        loaded = MonitoringSettings.load(settings, store=store, model=model)
        if test:
            _try(loaded, json)
        else:
            _list(loaded, limit, json)
    except (SettingsError, StoreError) as error:
        raise fail(str(error)) from error


def _try(settings: MonitoringSettings, json: bool) -> None:
    from datetime import UTC, datetime

    from plumbline.monitoring.notification.message import trial
    from plumbline.monitoring.notification.receiver import Receiver

    receiver = Receiver(settings)
    receipt = receiver.send(trial(settings, datetime.now(UTC)))
    host = receiver.host or "nobody"
    if not receipt.sent:
        raise fail(f"{host} has not taken it: {receipt.detail}")
    value = {"sent": True, "receiver": host, "detail": receipt.detail}
    emit(value, json, people=f"{host} has taken it: {receipt.detail}")


def _list(settings: MonitoringSettings, limit: int, json: bool) -> None:
    from plumbline.cli.registry import existing_store, require_models
    from plumbline.store.delivery import Deliveries
    from plumbline.store.incident import IncidentBook

    objects = existing_store(settings.store)
    require_models(objects, [settings.model])
    deliveries = Deliveries(objects, settings.model)
    newest = IncidentBook(objects, settings.model).all()[-limit:]
    lines = [_line(each) for head in newest for each in deliveries.of(head.value.id)]
    drawn = table(*_COLUMNS, rows=(line.values() for line in lines))
    nothing = f"nobody was told anything of {settings.model}"
    emit({"messages": lines}, json, people=drawn if lines else nothing)


def _line(delivery: Delivery) -> dict[str, Any]:
    """Describe a delivery in one line."""
    return {
        "message": f"{delivery.incident}-{delivery.message}",
        "occasion": delivery.occasion,
        "status": delivery.status.value,
        "attempts": delivery.attempts,
        "time": f"{delivery.time:%Y-%m-%d %H:%M:%S}",
        "receiver": delivery.receiver,
        "detail": delivery.detail,
    }
