"""`plumbline retrain`."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from plumbline.cli.output import JsonOption, ModelOption, StoreOption
from plumbline.cli.registry import patient_store, require_models
from plumbline.cli.train import (
    LiveSinceOption,
    LiveUntilOption,
    UntilOption,
    finish,
    reporting,
    stretch,
)


def retrain(
    store: StoreOption,
    command: Annotated[
        list[str], typer.Argument(help="Your trainer and its arguments, after `--`.")
    ],
    model: ModelOption = "eurusd-1h",
    like: Annotated[
        str, typer.Option("--like", metavar="VERSION", help="The version or alias to replace.")
    ] = "champion",
    until: UntilOption = None,
    live_since: LiveSinceOption = None,
    live_until: LiveUntilOption = None,
    remedy: Annotated[str, typer.Option(help="retrain or recalibrate.")] = "retrain",
    attempt: Annotated[int, typer.Option(min=1, help="Which try this is.")] = 1,
    warm: Annotated[
        bool, typer.Option("--warm", help="The weights to be replaced are worth starting from.")
    ] = False,
    incident: Annotated[str | None, typer.Option(help="The incident it is to repair.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Call a trainer of your own, judge what it made, and write its bundle to the store.

    The monitor does this with `[retrain] command`; docs/retrain-command.md says what your trainer
    is told and must answer. A bundle that is refused is written, too, but never promoted.
    """
    from plumbline.store.registry import ModelRegistry
    from plumbline.training.intake import take_in
    from plumbline.training.own_trainer import Order, call_trainer

    live = stretch(live_since, live_until)
    with reporting() as report, TemporaryDirectory(prefix="plumbline-") as folder:
        objects = patient_store(store)
        require_models(objects, [model])
        registry = ModelRegistry(objects, model)
        champion = registry.open(registry.resolve(like))
        order = Order(
            model=model,
            store=store,
            champion=champion.version,
            remedy=remedy,
            attempt=attempt,
            warm=warm,
            incident=incident,
            until=until,
            live=live,
        )
        report(f"running {command[0]}", 0.0)
        answer = call_trainer(command, order, Path(folder))
        report("judging", 0.9)
        result = take_in(objects, model, answer, champion=champion, live=live)
    finish(result, as_json, model=model)
