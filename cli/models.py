"""Bundles and aliases: list, show, verify, promote, put in shadow, roll back, history."""

from __future__ import annotations

import getpass
import platform
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from plumbline.bundle.errors import BundleError
from plumbline.cli.complete import complete_model
from plumbline.cli.output import JsonOption, StoreOption, emit, fail, refusals, table
from plumbline.cli.registry import existing_store, open_registry, require_models

if TYPE_CHECKING:
    from plumbline.bundle.archive import Bundle
    from plumbline.bundle.manifest import Manifest
    from plumbline.bundle.spec import InputSpec, OutputSpec
    from plumbline.store.acceptance import Acceptance
    from plumbline.store.pointer import Generation
    from plumbline.store.registry import AliasTarget, ModelRegistry

_ASKED = ("features", "bars")

app = typer.Typer(no_args_is_help=True, help=__doc__)


def default_actor() -> str:
    """Return who runs this command, as ``user@host``."""
    return f"{getpass.getuser()}@{platform.node()}"


OneModel = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="Name of the model; need not be said if it is alone.",
        autocompletion=complete_model,
    ),
]
Version = Annotated[
    str, typer.Argument(help="A version, the first characters of one, or an alias as `champion`.")
]
Alias = Annotated[str, typer.Option("--alias", help="Which alias.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it stays in the history.")]
Force = Annotated[
    bool, typer.Option("--force", help="Although its gate refused it; goes on record.")
]
Actor = Annotated[
    str,
    typer.Option(
        "--actor", default_factory=default_actor, show_default="user@host", help="Who decides."
    ),
]


@dataclass(frozen=True)
class Listing:
    """One line of `list`."""

    model: str
    version: str
    created: datetime | None
    family: str | None
    passed: bool | None
    verdict: str | None
    aliases: tuple[str, ...]
    problem: str | None = None

    def cells(self) -> tuple[object, ...]:
        """Return what people see of it."""
        gate = self.problem or ("passed" if self.passed else f"refused: {self.verdict}")
        created = self.created and f"{self.created:%Y-%m-%d %H:%M}"
        return (self.model, self.version, created, self.family, gate, ", ".join(self.aliases))


@dataclass(frozen=True)
class Check:
    """One line of `verify`."""

    version: str
    sound: bool
    problem: str | None
    golden_error: float | None

    def cells(self) -> tuple[object, ...]:
        """Return what people see of it."""
        if not self.sound:
            return (self.version, "DAMAGED", self.problem)
        return (self.version, "sound", f"golden rows within {self.golden_error:.1e}")


@app.command("list")
def list_models(store: StoreOption, model: OneModel = None, json: JsonOption = False) -> None:
    """Every bundle, the newest last, and which alias points at it."""
    from plumbline.store.registry import ModelRegistry

    with refusals():
        objects = existing_store(store)
        if model:
            require_models(objects, [model])
        names = [model] if model else ModelRegistry.names(objects)
        lines = [line for name in names for line in _listings(ModelRegistry(objects, name))]
    columns = ("model", "version", "created", "family", "gate", "aliases")
    drawn = table(*columns, rows=(line.cells() for line in lines))
    empty = f"no bundles in {store}: make one with `plumbline train`"
    emit({"models": lines}, json, people=drawn if lines else empty)


@app.command()
def show(
    store: StoreOption,
    version: Version = "champion",
    model: OneModel = None,
    json: JsonOption = False,
) -> None:
    """What a bundle is: its manifest, calibration and the evidence of its gate."""
    with refusals():
        registry = open_registry(store, model)
        bundle = registry.open(registry.resolve(version))
        aliases = _aliases(registry).get(bundle.version, [])
        accepted = _accepted(store, registry.name, bundle.version)
    reference = bundle.reference
    value = {
        "version": bundle.version,
        "aliases": aliases,
        "manifest": bundle.manifest,
        "calibrations": dict(bundle.outputs.calibrations),
        "validation": bundle.validation,
        "reference": {
            "rows": len(reference),
            "guaranteed": reference.guaranteed,
            "action_shares": reference.action_shares(len(bundle.manifest.actions)).tolist(),
        },
        "accepted_inputs": accepted,
    }
    facts = {**_facts(bundle, aliases), **_said_of_inputs(accepted)}
    emit(value, json, people=table("", "", rows=facts.items()))


@app.command()
def verify(
    store: StoreOption,
    versions: Annotated[
        list[str] | None, typer.Argument(help="Versions or aliases; all of them by default.")
    ] = None,
    model: OneModel = None,
    json: JsonOption = False,
) -> None:
    """Check every byte of bundles and run their golden rows; exit 1 if any fails."""
    with refusals():
        registry = open_registry(store, model)
        wanted = [registry.resolve(text) for text in versions or registry.uploads()]
        checks = [_check(registry, version) for version in wanted]
    drawn = table("version", "", "", rows=(check.cells() for check in checks))
    emit({"model": registry.name, "checks": checks}, json, people=drawn)
    damaged = [f"{check.version}: {check.problem}" for check in checks if not check.sound]
    if damaged:
        raise fail(
            f"{len(damaged)} of {len(checks)} bundles of {registry.name} must not be served: "
            + "; ".join(damaged)
        )


@app.command()
def promote(
    store: StoreOption,
    version: Version,
    reason: Reason,
    actor: Actor,
    model: OneModel = None,
    alias: Alias = "champion",
    force: Force = False,
    expected: Annotated[
        int | None, typer.Option("--expected", help="Generation the decision was based on.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Point an alias at a bundle that verifies and passed its gate, at once: shadow is skipped."""
    with refusals():
        registry = open_registry(store, model)
        made = registry.promote(
            registry.resolve(version),
            actor=actor,
            reason=reason,
            alias=alias,
            force=force,
            expected=expected,
        )
    _emit_moved(registry.name, alias, made, json)


@app.command()
def shadow(
    store: StoreOption,
    reason: Reason,
    actor: Actor,
    version: Annotated[
        str | None, typer.Argument(help="A version, or the first characters of one.")
    ] = None,
    model: OneModel = None,
    force: Force = False,
    end: Annotated[bool, typer.Option("--end", help="Take whatever is there out of it.")] = False,
    json: JsonOption = False,
) -> None:
    """Let a bundle answer a share of live requests unseen; the monitor promotes it if it is well.

    `models promote` skips this, and the history says so.
    """
    if (version is None) is not end:
        raise fail("give the version to put in shadow, or --end to take the present one out of it")
    with refusals():
        registry = open_registry(store, model)
        if version is None:
            made = registry.retire(actor=actor, reason=reason)
        else:
            made = registry.promote(
                registry.resolve(version),
                actor=actor,
                reason=reason,
                alias="challenger",
                force=force,
            )
    _emit_moved(registry.name, "challenger", made, json)


@app.command()
def rollback(
    store: StoreOption,
    reason: Reason,
    actor: Actor,
    model: OneModel = None,
    to: Annotated[
        str | None,
        typer.Option("--to", help="One that was there or passed its gate; the one before."),
    ] = None,
    alias: Alias = "champion",
    force: Annotated[
        bool, typer.Option("--force", help="To any version that verifies; goes on record.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Point an alias back at the bundle before, or at another that was there or passed its gate."""
    with refusals():
        registry = open_registry(store, model)
        target = registry.resolve(to) if to else None
        made = registry.rollback(actor=actor, reason=reason, alias=alias, to=target, force=force)
    _emit_moved(registry.name, alias, made, json)


@app.command()
def history(
    store: StoreOption, model: OneModel = None, alias: Alias = "champion", json: JsonOption = False
) -> None:
    """Everything an alias has pointed at: when, by whom and why."""
    with refusals():
        registry = open_registry(store, model)
        moves = [_move(made) for made in registry.history(alias)]
    columns = ("generation", "time", "version", "how", "actor", "reason")
    drawn = table(*columns, rows=([move[column] for column in columns] for move in moves))
    empty = f"{registry.name} has no {alias}: make one with `plumbline models promote`"
    value = {"model": registry.name, "alias": alias, "history": moves}
    emit(value, json, people=drawn if moves else empty)


def _aliases(registry: ModelRegistry) -> dict[str, list[str]]:
    """Return the aliases that point at each version."""
    pointing: dict[str, list[str]] = {}
    for alias in registry.aliases():
        head = registry.alias(alias)
        if head is not None:
            pointing.setdefault(head.value.version, []).append(alias)
    return pointing


def _accepted(store: str, model: str, version: str) -> list[Acceptance]:
    """Return what people have said of a version's inputs."""
    from plumbline.store.acceptance import Acceptances

    made = Acceptances(existing_store(store), model).since(version)
    return [each.value for each in made]


def _said_of_inputs(accepted: list[Acceptance]) -> dict[str, str]:
    if not accepted:
        return {}
    lines = [
        f"{each.time:%Y-%m-%d %H:%M} by {each.actor}"
        + "".join(f", {name}" for name in (*each.symbols, *each.clients))
        + f": {each.reason}"
        for each in accepted
    ]
    return {"inputs accepted": "; ".join(lines)}


def _listings(registry: ModelRegistry) -> list[Listing]:
    """Describe every version from its small files; damage shows as a problem."""
    aliases = _aliases(registry)
    lines = []
    for version in registry.uploads():
        pointing = tuple(aliases.get(version, ()))
        try:
            manifest, report = registry.manifest(version), registry.validation(version)
        except BundleError as error:
            lines.append(
                Listing(registry.name, version, None, None, None, None, pointing, str(error))
            )
            continue
        lines.append(
            Listing(
                registry.name,
                version,
                manifest.created,
                manifest.family,
                report.passed,
                report.verdict.value,
                pointing,
            )
        )
    return sorted(lines, key=lambda line: (line.created is not None, line.created or 0))


def _check(registry: ModelRegistry, version: str) -> Check:
    try:
        error = _golden_error(registry.open(version))
    except BundleError as refused:
        return Check(version, False, str(refused), None)
    return Check(version, True, None, error)


def _golden_error(bundle: Bundle) -> float:
    """Run the golden rows through the graph; raises `BundleError` where it does not give them."""
    from plumbline.service.backends.base import backend_class
    from plumbline.service.predictor import golden_error

    manifest = bundle.manifest
    backend = backend_class("onnx")(bundle.files["model.onnx"], manifest, "cpu")
    error = golden_error(backend, bundle)
    if not error <= manifest.tolerance:
        raise BundleError(
            f"model.onnx: golden rows differ by {error:.3g}, more than {manifest.tolerance:.3g}"
        )
    return error


def _facts(bundle: Bundle, aliases: list[str]) -> dict[str, str | None]:
    """Return what `show` says to people."""
    manifest, report, reference = bundle.manifest, bundle.validation, bundle.reference
    names = manifest.feature_names
    actions = manifest.actions
    shares = ", ".join(
        f"{name} {share:.1%}"
        for name, share in zip(actions, reference.action_shares(len(actions)), strict=True)
    )
    return {
        "model": f"{manifest.name} {bundle.version}",
        "aliases": ", ".join(aliases) or "none",
        "created": manifest.created.isoformat(timespec="seconds"),
        "family": manifest.family,
        "parent": manifest.parent,
        "inputs": "; ".join(_input(spec) for spec in manifest.inputs)
        + f"; bars of {manifest.bar_interval_seconds} s",
        "outputs": "; ".join(_output(spec) for spec in manifest.outputs),
        "features": f"{len(names)}: {', '.join(names)}",
        "label": f"{manifest.label.kind}, horizon {manifest.label.horizon_seconds} s",
        "loss": manifest.loss.kind,
        **_origin(manifest),
        "policy": f"{manifest.policy.kind} of {manifest.primary}"
        + (f"; sizes withheld: {manifest.policy.withheld}" if manifest.policy.withheld else ""),
        "calibration": "; ".join(
            f"{name} on {each.rows} rows" for name, each in bundle.outputs.calibrations.items()
        ),
        "reference": f"{len(reference)} rows, "
        f"{'with' if reference.guaranteed else 'too few for'} a false-alarm bound"
        + (f": {shares}" if shares else ""),
        "gate": "passed" if report.passed else "refused: " + "; ".join(report.reasons),
        "metrics": ", ".join(f"{name} {x:.4g}" for name, x in sorted(report.metrics.items())),
        "files": ", ".join(f"{name} {file.size:,} B" for name, file in manifest.files.items()),
    }


def _origin(manifest: Manifest) -> dict[str, str]:
    """Say what it learnt from; of a packed model only what it was measured on is known."""
    data = manifest.data
    if manifest.family == "packed":
        since, until = data.reference_start, data.reference_end
        return {"measured on": f"{data.source}, {since:%Y-%m-%d} to {until:%Y-%m-%d}"}
    since, until = data.train_start, data.train_end
    return {"trained on": f"{data.source}, {since:%Y-%m-%d} to {until:%Y-%m-%d}"}


def _input(spec: InputSpec) -> str:
    shape = " × ".join(str(size) for size in spec.shape)
    return f"{spec.name} ({shape}, from the {'request' if spec.source in _ASKED else spec.source})"


def _output(spec: OutputSpec) -> str:
    what = ", ".join(spec.choices) if spec.choices else f"{spec.width} a row"
    members = f", {spec.members} members" if spec.members > 1 else ""
    return f"{spec.name} ({spec.kind}: {what}{members}, {spec.horizon_seconds} s ahead)"


def _move(made: Generation[AliasTarget]) -> dict[str, object]:
    how = _how(made.value)
    return {"generation": made.number, "how": how, **made.value.model_dump(mode="json")}


def _how(target: AliasTarget) -> str:
    """Say by which road a version came, or went."""
    if target.retired:
        return "retired"
    if target.rollback:
        return "rolled back"
    rows = target.shadow_rows
    return "no shadow" if rows is None else f"after {rows} rows in shadow"


def _emit_moved(model: str, alias: str, made: Generation[AliasTarget], json: bool) -> None:
    before = made.value.previous or "nothing"
    now = "nothing" if made.value.retired else made.value.version
    text = f"{model}: {alias} is {now} (generation {made.number}), before {before}"
    emit({"model": model, "alias": alias, **_move(made)}, json, people=text)
