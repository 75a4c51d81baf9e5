"""The `plumbline` command."""

from __future__ import annotations

from typing import Annotated

import typer

from plumbline.bundle.errors import PluginError
from plumbline.cli import diagnose, export, incidents, models, runs
from plumbline.cli.accept_inputs import accept_inputs
from plumbline.cli.calibrate import calibrate
from plumbline.cli.drill import drill
from plumbline.cli.import_bundle import import_bundle
from plumbline.cli.monitor import monitor
from plumbline.cli.notify import notify
from plumbline.cli.pack import pack
from plumbline.cli.plugin_option import takes_plugins
from plumbline.cli.plugins import plugins
from plumbline.cli.predict import predict
from plumbline.cli.recompute import recompute
from plumbline.cli.replay_outcomes import replay_outcomes
from plumbline.cli.retrain import retrain
from plumbline.cli.rules import rules
from plumbline.cli.serve import serve
from plumbline.cli.train import replay_data, train
from plumbline.cli.up import up
from plumbline.cli.window import window


def _print_version(wanted: bool) -> None:
    if wanted:
        from plumbline import __version__

        typer.echo(f"plumbline {__version__}")
        raise typer.Exit


app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Serves trading-signal models and keeps them honest.\n\n"
    "Start with `plumbline up --demo`. One step at a time: `train` a model, look at it with "
    "`models show`, `serve` it, `monitor` it, ask `diagnose predictions live` what is the matter, "
    "and break it on purpose with `drill`.",
)
for command in (
    up,
    train,
    pack,
    calibrate,
    retrain,
    serve,
    window,
    predict,
    monitor,
    recompute,
    drill,
    rules,
    plugins,
):
    app.command()(takes_plugins(command))
app.command("replay-data")(takes_plugins(replay_data))
app.command("replay-outcomes")(takes_plugins(replay_outcomes))
app.command("accept-inputs")(accept_inputs)
app.command()(notify)
models.app.command("import")(import_bundle)
app.add_typer(models.app, name="models")
app.add_typer(incidents.app, name="incidents")
app.add_typer(runs.app, name="runs")
app.add_typer(export.app, name="export")
app.add_typer(diagnose.app, name="diagnose")


@app.callback()
def plumbline(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Serve trading-signal models and keep them honest."""


def main() -> None:
    """Run the command line."""
    try:
        app(prog_name="plumbline")
    except PluginError as error:
        raise SystemExit(f"error: {error}") from error


if __name__ == "__main__":
    main()
