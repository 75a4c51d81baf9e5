"""`plumbline accept-inputs`: put on record that a change of a client's inputs was meant."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from plumbline.cli.complete import complete_model
from plumbline.cli.models import Actor, Reason
from plumbline.cli.output import JsonOption, StoreOption, emit, fail, refusals
from plumbline.cli.registry import open_registry


def accept_inputs(
    store: StoreOption,
    model: Annotated[str, typer.Argument(help="Name of the model.", autocompletion=complete_model)],
    reason: Reason,
    actor: Actor,
    version: Annotated[
        str, typer.Option("--version", help="A version or an alias: which one is asked so.")
    ] = "champion",
    symbol: Annotated[
        list[str] | None, typer.Option("--symbol", help="Whose inputs; may be repeated.")
    ] = None,
    client: Annotated[
        list[str] | None, typer.Option("--client", help="Whose requests; may be repeated.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Say that a client sends its windows otherwise than before, and is meant to.

    A client that was upgraded pages once: its windows are no longer what its rows made them. This
    ends that incident and goes on record. It switches nothing else off: columns that are wrong,
    late or not what training computes are still the client's fault.
    """
    from plumbline.store.acceptance import Acceptance, Acceptances
    from plumbline.store.objects import Objects

    if not (reason.strip() and actor.strip()):
        raise fail("--reason and --actor stay on record: neither can be empty")
    with refusals():
        registry = open_registry(store, model)
        accepted = Acceptance(
            version=registry.resolve(version),
            time=datetime.now(UTC),
            actor=actor,
            reason=reason,
            symbols=tuple(symbol or ()),
            clients=tuple(client or ()),
        )
        made = Acceptances(Objects(store), model).accept(accepted)
    value = {"model": model, "generation": made.number, **accepted.model_dump(mode="json")}
    of = "".join(
        f", {what} {', '.join(names)}"
        for what, names in (("of", accepted.symbols), ("from", accepted.clients))
        if names
    )
    emit(value, json, people=f"{model} {accepted.version}: inputs accepted{of} (no. {made.number})")
