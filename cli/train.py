"""`plumbline train` and `plumbline replay-data`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer
from rich.console import Group

from plumbline.cli.complete import complete_config
from plumbline.cli.interruption import INTERRUPTED, stoppable
from plumbline.cli.output import JsonOption, ModelOption, StoreOption, emit, fail, table
from plumbline.cli.progress import Report, showing_progress
from plumbline.cli.registry import open_registry, patient_store
from plumbline.cli.resume import Resumed, resumed

if TYPE_CHECKING:
    from plumbline.bundle.manifest import Manifest
    from plumbline.store.objects import Objects
    from plumbline.store.registry import ModelRegistry
    from plumbline.training.config import Experiment
    from plumbline.training.live import Stretch
    from plumbline.training.publish import TrainingResult
    from plumbline.training.record import Recorder

DEFAULT_CONFIG = "eurusd-1h"


def moment(text: str) -> datetime:
    """Read a time as in RFC 3339; without a zone it is UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(
            f"expected a time like 2017-09-01T12:00:00Z, got {text!r}"
        ) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


UntilOption: TypeAlias = Annotated[
    datetime | None,
    typer.Option(parser=moment, metavar="TIME", help="Use bars closed by then; none is held out."),
]
LiveSinceOption: TypeAlias = Annotated[
    datetime | None,
    typer.Option(parser=moment, metavar="TIME", help="Judge on windows served since then, too."),
]
LiveUntilOption: TypeAlias = Annotated[
    datetime | None, typer.Option(parser=moment, metavar="TIME", help="And before then.")
]
PromoteOption: TypeAlias = Annotated[
    bool, typer.Option("--promote", help="Make it the champion if it passes its gate.")
]
IfMissingOption: TypeAlias = Annotated[
    bool, typer.Option("--if-missing", help="Do nothing if the model has a champion already.")
]
LikeOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--like",
        metavar="VERSION",
        help="Train the successor of a version or alias: configuration, source, symbols and "
        "interval are those of its manifest.",
    ),
]
ConfigOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--config",
        help="A TOML file, or the name of one that comes along.",
        autocompletion=complete_config,
    ),
]
DataOption: TypeAlias = Annotated[
    str | None, typer.Option("--data", help="Data set, path or URL, instead of the configured one.")
]
SymbolOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--symbol", help="Whose bars to use, or what to call them if the file does not."),
]


SetOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change the configuration, as in `--set fit.epochs=20`; may be repeated.",
    ),
]
StateOption: TypeAlias = Annotated[
    Path, typer.Option("--state", help="Where it keeps what it takes to go on with --resume.")
]


def train(
    context: typer.Context,
    store: StoreOption,
    run: Annotated[
        str | None,
        typer.Argument(help="With --resume: which run; the newest interrupted one by default."),
    ] = None,
    config: Annotated[
        str | None,
        typer.Option(
            "--config",
            show_default="eurusd-1h, or that of --like",
            help="A TOML file, or the name of one that comes along.",
            autocompletion=complete_config,
        ),
    ] = None,
    model: ModelOption = "eurusd-1h",
    like: LikeOption = None,
    data: DataOption = None,
    symbol: SymbolOption = None,
    seed: Annotated[int | None, typer.Option(help="Instead of the configured one.", min=0)] = None,
    reseed: Annotated[int, typer.Option(help="Added to the configured seed.", min=0)] = 0,
    loss: Annotated[str | None, typer.Option(help="Instead of the configured one.")] = None,
    until: UntilOption = None,
    live_since: LiveSinceOption = None,
    live_until: LiveUntilOption = None,
    parent: Annotated[str | None, typer.Option(help="Version to start from, if it fits.")] = None,
    promote: PromoteOption = False,
    if_missing: IfMissingOption = False,
    settings: SetOption = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a training that was interrupted.")
    ] = False,
    state: StateOption = Path(".state"),
    checkpoint: Annotated[
        bool, typer.Option(help="Keep after every epoch what it takes to go on from there.")
    ] = True,
    mlflow: Annotated[
        str | None, typer.Option(metavar="URI", help="Log the run to this MLflow server, too.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Train a model, judge it, and write its bundle to the store.

    A model that has collapsed, leaks or knows nothing is written, too, but never promoted; the exit
    code is 1 then, and the reasons are printed. Every training leaves a record: see `plumbline
    runs`. Ctrl-C ends it in order (exit code 130), and `--resume` goes on from the last epoch.
    """
    from plumbline.bundle.market import Market
    from plumbline.training.checkpoint import Checkpoints
    from plumbline.training.record import Recorder
    from plumbline.training.run import train as fit

    if run is not None and not resume:
        raise typer.BadParameter(f"{run!r}: a run is named with --resume alone")
    checkpoints = Checkpoints(state.resolve())
    old = None
    with reporting() as report, stoppable():
        objects = patient_store(store, create=True)
        if if_missing and is_there(objects, model, as_json):
            return
        if resume:
            asked = resumed(context, checkpoints, run)
        else:
            old = None if like is None else _manifest(open_registry(store, model), like)
            experiment = _experiment(
                *(config, old),
                data=data,
                symbol=symbol,
                seed=seed,
                reseed=reseed,
                loss=loss,
                until=until,
                overrides=settings or (),
            )
            recorder = Recorder(
                objects,
                model,
                config=config or (DEFAULT_CONFIG if like is None else f"like {like}"),
                overrides=tuple(settings or ()),
                checkpoints=checkpoints if checkpoint else None,
            )
            live = stretch(live_since, live_until)
            asked = Resumed(experiment, model, recorder, parent, live, promote)
        with logged(asked.recorder, mlflow), told_how_to_go_on(asked.recorder):
            result = fit(
                asked.experiment,
                objects,
                asked.model,
                keep=None if old is None else Market.of(old),
                parent=asked.parent,
                live=asked.live,
                promote=asked.promote,
                progress=report,
                recorder=asked.recorder,
            )
    finish(result, as_json)


def replay_data(
    out: Annotated[Path, typer.Option(help="File to write, .npz.")],
    config: ConfigOption = "eurusd-1h",
    data: DataOption = None,
    symbol: SymbolOption = None,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the held-out bars of a configuration to a file, to be replayed against a service."""
    from plumbline.training.replay import build_replay

    with reporting():
        asked = _experiment(config, data=data, symbol=symbol, overrides=settings or ())
        replay = build_replay(asked)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(replay.to_bytes())
    summary = {"file": str(out), "bars": len(replay.bar_time), "held_out": replay.held_out}
    emit(summary, as_json, people=f"{out}: {replay.held_out} held-out bars")


def is_there(objects: Objects, model: str, as_json: bool) -> bool:
    """Say whether a model has a champion, and print which."""
    from plumbline.store.registry import ModelRegistry

    head = ModelRegistry(objects, model).alias()
    if head is None:
        return False
    champion = head.value.version
    said = f"{model} has a champion, {champion}: nothing to do"
    emit({"model": model, "champion": champion, "done": False}, as_json, people=said)
    return True


def stretch(since: datetime | None, until: datetime | None) -> Stretch | None:
    """Return the part of the prediction log asked for; None if none was."""
    from plumbline.training.live import Stretch

    return None if since is None and until is None else Stretch(since, until)


@contextmanager
def reporting() -> Iterator[Report]:
    """Show progress on stderr, and turn what went wrong into a message and exit code 1."""
    from plumbline.bundle.errors import BundleError
    from plumbline.store.errors import StoreError
    from plumbline.training.errors import TrainingError

    try:
        with showing_progress() as report:
            yield report
    except (TrainingError, StoreError, BundleError) as error:
        raise fail(str(error)) from error
    except OSError as error:
        raise fail(f"cannot write {error.filename}: {error.strerror}") from error


def finish(result: TrainingResult, as_json: bool, *, model: str | None = None) -> None:
    """Print what was made; exit with 1 if the gate refused it.

    Parameters
    ----------
    result
        Of a training, or of what leaves no record of its own.
    as_json
        As one document.
    model
        Its name, to be looked up by where there is no record.
    """
    numbers = [(name, f"{value:.4g}") for name, value in sorted(result.metrics.items())]
    said = "passed its gate" if result.passed else "was REFUSED by its gate"
    title = f"{result.version} {said}: {result.verdict.value}, {result.seconds:.0f} s"
    title += ", promoted" if result.promoted else ""
    more = f"more: plumbline runs show {result.run}"
    if not result.run:
        more = f"more: plumbline models show {result.version} --model {model}"
    emit(result, as_json, people=Group(title, table("on validation", "", rows=numbers), more))
    if not result.passed:
        why = "; ".join(result.reasons).removesuffix(".")
        raise fail(f"{why}. The bundle is kept, but will not be promoted")


def _manifest(registry: ModelRegistry, text: str) -> Manifest:
    return registry.open(registry.resolve(text)).manifest


@contextmanager
def told_how_to_go_on(recorder: Recorder) -> Iterator[None]:
    """Turn an interruption into a message and exit code 130."""
    try:
        yield
    except KeyboardInterrupt:
        what = recorder.record.message if recorder.record else "interrupted"
        on = f"plumbline train --resume {recorder.begun.id}" if recorder.kept else ""
        typer.echo(f"{what}{f'; go on with `{on}`' if on else ''}", err=True)
        raise typer.Exit(INTERRUPTED) from None


@contextmanager
def logged(recorder: Recorder, uri: str | None) -> Iterator[None]:
    """Log the run to MLflow if asked to, however it ends; what MLflow refuses is only told."""
    from plumbline.training.errors import TrainingError
    from plumbline.training.report import render_report
    from plumbline.training.tracking import log_run, require_mlflow

    if uri is None:
        yield
        return
    require_mlflow()
    try:
        yield
    finally:
        if recorder.record is not None:
            try:
                log_run(recorder.record, render_report(recorder.record), uri)
            except TrainingError as error:
                typer.echo(f"warning: {error}", err=True)


def _experiment(
    config: str | None,
    like: Manifest | None = None,
    *,
    data: str | None = None,
    symbol: str | None = None,
    seed: int | None = None,
    reseed: int = 0,
    loss: str | None = None,
    until: datetime | None = None,
    overrides: Sequence[str] = (),
) -> Experiment:
    from plumbline.training.config import read_experiment
    from plumbline.training.succession import follow, until_now

    if like is None or config is not None:
        experiment = read_experiment(config or DEFAULT_CONFIG, overrides)
    else:
        experiment = until_now(follow(like)).overridden(overrides)
    changes: dict[str, Any] = {}
    if data is not None:
        changes["data"] = {"source": data}
    if symbol is not None:
        changes["data"] = {**changes.get("data", {}), "symbol": symbol, "symbols": ()}
    if until is not None:
        changes["data"] = {**changes.get("data", {}), "until": until}
    if seed is not None or reseed:
        changes["seed"] = (experiment.seed if seed is None else seed) + reseed
    if loss is not None:
        # Another loss has other parameters: the configured ones are not its own.
        changes["loss"] = {"kind": loss, "parameters": {}}
    return experiment.changed(**changes) if changes else experiment
