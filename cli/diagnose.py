"""Ask what is the matter with predictions: in a file, in a bundle, or served right now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plumbline.bundle.errors import FormatError
from plumbline.bundle.finding import Level
from plumbline.cli.output import JsonOption, ModelOption, StoreOption, emit, refusals, table
from plumbline.cli.plugin_option import takes_plugins
from plumbline.cli.registry import existing_store, open_registry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plumbline.bundle.archive import Bundle
    from plumbline.bundle.finding import Diagnosis, Finding
    from plumbline.diagnosis.evidence import Evidence
    from plumbline.diagnosis.sample import Context
    from plumbline.store.objects import Objects
    from plumbline.store.prediction import PredictionBatch
    from plumbline.store.registry import ModelRegistry

app = typer.Typer(no_args_is_help=True, help=__doc__)


@app.callback()
def diagnose() -> None:
    """Ask what is the matter with predictions: in a file, in a bundle, or served right now."""


@app.command()
@takes_plugins
def predictions(
    target: Annotated[
        str,
        typer.Argument(
            help="A .csv, .parquet or .npz file of predictions; `live`, the newest rows of the "
            "prediction log; or a version or alias, whose reference rows are judged."
        ),
    ],
    store: StoreOption,
    model: ModelOption = "eurusd-1h",
    version: Annotated[
        str | None,
        typer.Option(
            "--version",
            help="Hold a file against this bundle's reference; a version or an alias. For `live` "
            "the champion by default; `challenger` is the one in shadow.",
        ),
    ] = None,
    rows: Annotated[int, typer.Option("--rows", min=1, help="Of `live`: how many.")] = 2_000,
    tau: Annotated[
        float,
        typer.Option("--tau", help="Of a file without actions and bundle: the policy's tau."),
    ] = 0.0,
    json: JsonOption = False,
) -> None:
    """One verdict on predictions, with its evidence; exit 1 if it is not a healthy one."""
    with refusals():
        if target == "live":
            name, diagnosis, evidence = _judge_live(store, model, version or "champion", rows)
        elif Path(target).suffix in {".csv", ".parquet", ".npz"}:
            name, diagnosis = _judge_file(Path(target), store, model, version, tau)
            evidence = ()
        else:
            name, diagnosis = _judge_bundle(store, model, target)
            evidence = ()
    if json:
        emit({"target": name, "diagnosis": diagnosis, "evidence": list(evidence)}, as_json=True)
    else:
        _print(name, diagnosis, evidence)
    if not diagnosis.sized:
        raise typer.Exit(1)


def _judge_file(
    path: Path, store: str, model: str, version: str | None, tau: float
) -> tuple[str, Diagnosis]:
    """Judge a file, against a bundle's reference if one is named."""
    from plumbline.cli.prediction_file import read_predictions
    from plumbline.diagnosis.diagnose import diagnose as judge

    if not path.is_file():
        raise FormatError(f"{path}: there is no such file")
    context = None if version is None else _context(_open(open_registry(store, model), version))
    sample, held = read_predictions(path).judged_by(context, tau=tau)
    return str(path), judge(sample, held)


def _judge_bundle(store: str, model: str, text: str) -> tuple[str, Diagnosis]:
    """Judge the out-of-sample rows a bundle carries, labels included, as its gate did."""
    from plumbline.diagnosis.diagnose import diagnose as judge
    from plumbline.diagnosis.sample import Context, of_reference

    bundle = _open(open_registry(store, model), text)
    alone = Context(bundle.outputs, bundle.manifest.feature_names)
    sample = of_reference(bundle.reference, bundle.outputs)
    return f"{model} {bundle.version}", judge(sample, alone)


def _judge_live(
    store: str, model: str, version: str, rows: int
) -> tuple[str, Diagnosis, Sequence[Evidence]]:
    """Show the newest rows of the log to the watcher, as the monitor does."""
    import numpy as np

    from plumbline.monitoring.watching.watcher import Watcher
    from plumbline.store.log import PredictionLog
    from plumbline.store.prediction import PREDICTIONS, SHADOWS
    from plumbline.store.registry import CHALLENGER

    registry = open_registry(store, model)
    bundle, challenger = _open(registry, version), registry.alias(CHALLENGER)
    unseen = challenger is not None and challenger.value.version == bundle.version
    log = PredictionLog(existing_store(store), model, table=SHADOWS if unseen else PREDICTIONS)
    batch = log.read(version=bundle.version, limit=rows)
    batch = batch.take(np.asarray(np.isfinite(batch.raw).all(axis=1)))  # a shadow may be silent
    if len(batch) == 0:
        raise FormatError(
            f"the log of {model} has no prediction of {bundle.version} yet: is the service running "
            "on this store, and has anyone asked it?"
        )
    watcher = Watcher(bundle)
    watcher.feed(batch)
    judgement = watcher.judgement
    diagnosis = judgement.diagnosis
    if diagnosis.sized and not unseen:
        diagnosis = _judge_outcomes(existing_store(store), bundle, batch) or diagnosis
    where = "in shadow" if unseen else "live"
    return f"{model} {bundle.version}, {where}", diagnosis, judgement.evidence


def _judge_outcomes(objects: Objects, bundle: Bundle, rows: PredictionBatch) -> Diagnosis | None:
    """Return what outcomes say is the matter with these rows; None as long as that is nothing."""
    import time

    from plumbline.bundle.moment import moment_of
    from plumbline.monitoring.watching.skill.watch import SkillWatch
    from plumbline.store.outcome import SKEW, OutcomeLog

    watch = SkillWatch(bundle)
    watch.feed(rows)
    since = moment_of(int(rows.time.min()) - SKEW)
    log = OutcomeLog(objects, bundle.manifest.name, since=since)
    while len(batch := log.read_new()):
        watch.outcomes(batch)
    watch.settle(time.time_ns() // 1000)
    return watch.judgement()


def _open(registry: ModelRegistry, text: str) -> Bundle:
    return registry.open(registry.resolve(text))


def _context(bundle: Bundle) -> Context:
    from plumbline.diagnosis.sample import Context

    return Context.of(bundle)


def _print(name: str, diagnosis: Diagnosis, evidence: Sequence[Evidence]) -> None:
    """Print for people: the verdict, why, what to do, and what was measured."""
    typer.echo(f"{name}: {diagnosis.verdict.value} ({diagnosis.n} rows)")
    typer.echo(f"{diagnosis.cause}\nRemedy: {diagnosis.remedy.value}.\n")
    cells = [
        (each.level.value, each.name, _number(each.value), _number(each.threshold), _range(each))
        for each in diagnosis.findings
    ]
    columns = ("", "statistic", "value", "limit", "interval")
    emit(None, False, people=table(*columns, rows=cells))
    for each in diagnosis.findings:
        if each.level in {Level.FAIL, Level.WARN}:
            named = f" Columns: {', '.join(each.columns)}." if each.columns else ""
            typer.echo(f"{each.name}: {each.message}{named}")
    if evidence:
        typer.echo()
        lines = [
            (each.detector, each.subject, f"{each.log_e:.1f}", f"{each.threshold:.1f}", _said(each))
            for each in evidence
        ]
        emit(None, False, people=table("detector", "of", "nats", "alarm at", "", rows=lines))


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.4g}"


def _range(finding: Finding) -> str:
    interval = finding.interval
    return "" if interval is None else f"{interval.low:.4g} to {interval.high:.4g}"


def _said(evidence: Evidence) -> str:
    return f"ALARMED, {evidence.onset} rows since onset" if evidence.alarmed else ""
