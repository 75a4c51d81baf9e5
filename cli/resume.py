"""`plumbline train --resume`: what an interrupted training was asked for, asked for again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from plumbline.cli.output import fail
from plumbline.cli.registry import patient_store

if TYPE_CHECKING:
    from plumbline.training.checkpoint import Checkpoints
    from plumbline.training.config import Experiment
    from plumbline.training.live import Stretch
    from plumbline.training.record import Recorder

_WITH_RESUME = frozenset(
    {"store", "state", "resume", "run", "promote", "mlflow", "as_json", "plugin"}
)


@dataclass(frozen=True)
class Resumed:
    """The training to go on with."""

    experiment: Experiment
    model: str
    recorder: Recorder
    parent: str | None
    live: Stretch | None
    promote: bool


def resumed(context: typer.Context, checkpoints: Checkpoints, run: str | None) -> Resumed:
    """Return the training to go on with, refusing options that would make it another one."""
    from plumbline.training.config import Experiment
    from plumbline.training.live import Stretch
    from plumbline.training.record import Recorder

    for name in context.params:
        source = context.get_parameter_source(name)
        given = source is not None and source.name == "COMMANDLINE"
        if given and name not in _WITH_RESUME:
            option = next(p.opts[0] for p in context.command.params if p.name == name)
            raise fail(f"{option} does not go with --resume, which goes on with what was asked for")
    checkpoint, state = checkpoints.load(run or "last")
    order, store = checkpoint.order, context.params["store"]
    if order.store != store:
        raise fail(f"{checkpoint.run.id} writes to {order.store}, not to {store}: say --store")
    live = order.live_since, order.live_until
    return Resumed(
        experiment=Experiment.model_validate(checkpoint.experiment),
        model=checkpoint.run.model,
        recorder=Recorder(
            patient_store(store, create=True),
            checkpoint.run.model,
            config=checkpoint.run.config,
            overrides=checkpoint.run.overrides,
            checkpoints=checkpoints,
            resume=(checkpoint, state),
        ),
        parent=order.parent,
        live=None if live == (None, None) else Stretch(*live),
        promote=order.promote or bool(context.params["promote"]),
    )
