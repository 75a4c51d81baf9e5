"""`plumbline calibrate`."""

from __future__ import annotations

from typing import Annotated

import typer

from plumbline.cli.output import JsonOption, ModelOption, StoreOption
from plumbline.cli.registry import patient_store, require_models
from plumbline.cli.train import (
    LiveSinceOption,
    LiveUntilOption,
    PromoteOption,
    UntilOption,
    finish,
    reporting,
    stretch,
)


def calibrate(
    store: StoreOption,
    version: Annotated[str, typer.Option(help="The bundle to refit.")],
    model: ModelOption = "eurusd-1h",
    until: UntilOption = None,
    live_since: LiveSinceOption = None,
    live_until: LiveUntilOption = None,
    promote: PromoteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Fit temperature and bias of a bundle again and write it as a new one, same graph.

    The remedy for `bias_shift`. It takes seconds, and never uses rows that taught the weights.
    """
    from plumbline.training.refit import refit

    with reporting() as report:
        objects = patient_store(store)
        require_models(objects, [model])
        result = refit(
            objects,
            model,
            version,
            until=until,
            live=stretch(live_since, live_until),
            promote=promote,
            progress=report,
        )
    finish(result, as_json)
