"""An experiment: one TOML file that says everything a training depends on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Self

from pydantic import Field, JsonValue, ValidationError, model_validator

from plumbline.bundle.plugin import Plugins
from plumbline.bundle.plugin_module import (
    PluginModule,
    describe_module,
    name_modules,
    named_modules,
)
from plumbline.bundle.policies import POLICIES, Policy
from plumbline.bundle.record import Record
from plumbline.bundle.spec import OutputSpec
from plumbline.bundle.suggestion import nearest, unknown_key
from plumbline.training.complaint import complaint_of
from plumbline.training.config_file import merge, module_names, read_overrides, read_values
from plumbline.training.data import UNNAMED
from plumbline.training.data_check import LARGEST_STEP, Tolerable
from plumbline.training.errors import ConfigError
from plumbline.training.families import FAMILIES, Family
from plumbline.training.feature_sets import FEATURE_SETS
from plumbline.training.fit import FitParams
from plumbline.training.labels import LABELS, Label
from plumbline.training.losses import LOSSES
from plumbline.training.split import SplitParams


class DataParams(Record):
    """Which bars."""

    source: str = Field(description="Name of a data set, path, or store URL of a CSV or Parquet.")
    symbol: str = Field(
        UNNAMED, description="The symbol to use, or to name the bars by where the file has none."
    )
    symbols: tuple[str, ...] = Field((), description="Several to use; all by default.")
    time_format: str | None = Field(
        None, description="Of strptime; ISO 8601 or since 1970 by default."
    )
    until: datetime | None = Field(
        None, description="Use bars closed by then, all of them: there is no test part."
    )
    max_bars: int | None = Field(None, ge=1, description="Newest bars of each symbol to use.")
    mirror: bool = Field(
        False,
        description="Learn and calibrate on the market quoted the other way round as well. For "
        "rates of exchange; not where falling is unlike rising, as with shares.",
    )
    refuse_also: tuple[Tolerable, ...] = Field((), description="Defects that are else counted.")
    largest_step: float = Field(
        LARGEST_STEP, gt=1, description="Factor by which a price may move from bar to bar."
    )


class Choice(Record):
    """A plug-in by name, with parameters of its own."""

    kind: str
    parameters: dict[str, JsonValue] = Field(default_factory=dict)


FEATURES = "intraday_31"
"""The feature set of an experiment that names none."""

_DEFAULTS = {"features": FEATURES}
_LOSS_OF = {"choice": "cross_entropy", "value": "gaussian", "score": "rank_correlation"}
_POLICY_OF = {"choice": "argmax", "value": "kelly", "score": "rank"}


class Experiment(Record):
    """What is trained, on what, and how; the resolved form goes into the manifest."""

    seed: int = Field(0, ge=0)
    window_length: int = Field(32, ge=1, description="Bars the model sees at once.")
    input: Literal["features", "bars"] = Field(
        "features", description="What a request carries: columns the client computed, or raw bars."
    )
    data: DataParams
    features: Choice = Choice(kind=FEATURES)
    label: Choice
    split: SplitParams
    family: Choice
    loss: Choice
    fit: FitParams = FitParams()
    policy: Choice
    plugins: tuple[PluginModule, ...] = Field(
        (), description="Modules from outside it needs: files or dotted names."
    )

    @model_validator(mode="before")
    @classmethod
    def _resolve(cls, values: Any) -> Any:
        """Check each plug-in's parameters and write down its defaults."""
        if not isinstance(values, Mapping):
            return values
        resolved = dict(values)
        name_modules(module_names(resolved.get("plugins", ())))
        plugins: dict[str, Plugins[Any]] = {
            "features": FEATURE_SETS,
            "label": LABELS,
            "family": FAMILIES,
        }
        chosen: list[PluginModule | None] = []
        for field, kinds in plugins.items():
            default = {"kind": _DEFAULTS[field]} if field in _DEFAULTS else None
            choice = resolved.get(field, default)
            if isinstance(choice, Mapping):
                resolved[field] = _resolve_choice(field, choice, kinds)
                chosen.append(kinds.module_of(resolved[field]["kind"]))
        chosen += _resolve_by_output(resolved)
        resolved["plugins"] = _modules(chosen)
        return resolved

    @model_validator(mode="after")
    def _decidable(self) -> Self:
        """Build the policy once, so that one that does not fit is refused before a training."""
        width = self.outputs[0].width
        self.build_policy((1 / width,) * width)
        return self

    @classmethod
    def of_manifest(cls, training: Mapping[str, JsonValue]) -> Self:
        """Return the experiment a bundle came from; notes that others added are passed over.

        Raises
        ------
        ConfigError
            If it is an experiment of another version of this software.
        """
        known = {name: value for name, value in training.items() if name in cls.model_fields}
        experiment: Self = _validated(cls, known, "the manifest's training")
        return experiment

    def build_label(self) -> Label[Any]:
        """Return the label."""
        kind = LABELS[self.label.kind]
        return kind(kind.Params.model_validate(self.label.parameters))

    def build_family(self) -> Family[Any]:
        """Return the family."""
        kind = FAMILIES[self.family.kind]
        return kind(kind.Params.model_validate(self.family.parameters))

    @property
    def outputs(self) -> tuple[OutputSpec, ...]:
        """What a model of it gives: the label's outputs, as loss and family make them."""
        loss, members = LOSSES[self.loss.kind], self.build_family().members
        return tuple(
            spec.model_copy(update={"width": loss.width(spec), "members": members})
            for spec in self.build_label().outputs
        )

    def build_policy(self, prior: tuple[float, ...] | None) -> Policy[Any]:
        """Return the policy, for the choice shares of the rows the calibration was fitted on."""
        kind, parameters = POLICIES[self.policy.kind], dict(self.policy.parameters)
        if prior is not None and "prior" in kind.Params.model_fields:
            parameters["prior"] = list(prior)
        return kind(kind.Params.model_validate(parameters), self.outputs[0])

    @property
    def ends_now(self) -> bool:
        """Whether every bar up to some moment is used, so that none is held out for a test."""
        return self.data.until is not None or self.split.test == 0

    def overridden(self, overrides: Sequence[str]) -> Self:
        """Return the experiment with what ``--set`` was given: ``overridden(["fit.epochs=20"])``.

        Raises
        ------
        ConfigError
            If a key or a value is wrong.
        """
        if not overrides:
            return self
        values = merge(self.model_dump(), read_overrides(overrides))
        source = " ".join(f"--set {each}" for each in overrides)
        changed: Self = _validated(type(self), values, source)
        return changed

    def changed(self, **sections: Mapping[str, object] | object) -> Self:
        """Return the experiment with some values changed: ``changed(data={"until": when})``.

        Raises
        ------
        ConfigError
            If a key or a value is wrong.
        """
        values = self.model_dump()
        for name, value in sections.items():
            if isinstance(value, Mapping):
                own = {} if _other_kind(values[name], value) else values[name]
                values[name] = {**own, **value}
            else:
                values[name] = value
        changed: Self = _validated(type(self), values, "the command line")
        return changed


def _other_kind(old: Mapping[str, object], new: Mapping[str, object]) -> bool:
    """Tell whether another plug-in is chosen, to which the old parameters do not belong."""
    return "kind" in new and new["kind"] != old.get("kind")


def _resolve_by_output(values: dict[str, Any]) -> list[PluginModule | None]:
    """Resolve what depends on the kind of the label's outputs, loss and policy, in place.

    Returns the modules that brought them.
    """
    label, modules = values.get("label"), []
    if not isinstance(label, Mapping):
        return []
    kind = LABELS[label["kind"]]
    outputs = kind(kind.Params.model_validate(label["parameters"])).outputs
    kinds = {spec.kind for spec in outputs}
    primary = outputs[0].kind
    loss = values.get("loss") or {"kind": _LOSS_OF.get(primary)}
    if isinstance(loss, Mapping):
        values["loss"] = _resolve_choice("loss", loss, LOSSES)
        modules.append(LOSSES.module_of(loss["kind"]))
        if kinds != {LOSSES[loss["kind"]].teaches}:
            fitting = sorted(name for name, each in LOSSES.items() if {each.teaches} == kinds)
            raise ValueError(
                f"loss.kind is {loss['kind']!r}, which teaches a {LOSSES[loss['kind']].teaches}; "
                f"the label {label['kind']!r} gives a {' and a '.join(sorted(kinds))}: expected "
                f"one of {fitting}"
            )
    policy = values.get("policy") or {"kind": _POLICY_OF.get(primary, "abstain")}
    if isinstance(policy, Mapping):
        values["policy"] = _resolve_policy(policy)
        modules.append(POLICIES.module_of(policy["kind"]))
    return modules


def _resolve_policy(choice: Mapping[str, Any]) -> dict[str, Any]:
    """Check a policy's parameters; its prior is measured in training, and so cannot be given."""
    kind = str(choice.get("kind"))
    if kind not in POLICIES:
        raise ValueError(f"policy.kind is {kind!r}, expected one of {sorted(POLICIES)}")
    params, given = POLICIES[kind].Params, dict(choice.get("parameters", {}))
    if "prior" not in params.model_fields:
        return {**choice, "parameters": params.model_validate(given).model_dump(mode="json")}
    if "prior" in given:
        raise ValueError("policy.parameters.prior is measured in training: leave it out")
    checked = params.model_validate({**given, "prior": (1.0,)}).model_dump(mode="json")
    return {**choice, "parameters": {k: v for k, v in checked.items() if k != "prior"}}


def _modules(chosen: Iterable[PluginModule | None]) -> list[dict[str, Any]]:
    """Note every module that was named, and those that brought what was chosen."""
    found = {name: describe_module(name) for name in named_modules()}
    found |= {each.name: each for each in chosen if each is not None}
    return [each.model_dump() for each in found.values()]


def _resolve_choice(field: str, choice: Mapping[str, Any], kinds: Plugins[Any]) -> dict[str, Any]:
    kind = str(choice.get("kind"))
    if kind not in kinds:
        near = nearest(kind, kinds)
        meant = f": did you mean {near}?" if near else ""
        raise ValueError(f"{field}.kind is {kind!r}, expected one of {sorted(kinds)}{meant}")
    given = choice.get("parameters", {})
    if isinstance(given, Mapping):
        place = f"{field}.parameters."
        if (complaint := unknown_key(given, kinds[kind].Params, within=place)) is not None:
            raise ValueError(complaint)
    params = kinds[kind].Params.model_validate(given)
    return {**choice, "parameters": params.model_dump(mode="json")}


def _validated(kind: type[Experiment], values: Mapping[str, Any], source: str) -> Any:
    if (complaint := unknown_key(values, kind)) is not None:
        raise ConfigError(f"{source}: {complaint}")
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{source}: {complaint_of(error)}") from error


def read_experiment(name: str, overrides: Sequence[str] = ()) -> Experiment:
    """Read an experiment by the name of one that comes with the package, or by path.

    Parameters
    ----------
    name
        Of the experiment, or a path; see `config_file` for what it may inherit.
    overrides
        What to change of it, as ``fit.epochs=20``.

    Raises
    ------
    ConfigError
        If there is no such file, it is not TOML, or a key or value is wrong; the message names it.
    """
    values = merge(read_values(name), read_overrides(overrides))
    source = " ".join([name, *(f"--set {each}" for each in overrides)])
    experiment: Experiment = _validated(Experiment, values, source)
    return experiment
