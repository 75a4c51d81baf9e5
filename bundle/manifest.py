"""The manifest: every field whose absence has caused an incident.

A served model must be able to say what it takes, of which columns in which order and over what
length of window at what bar interval; what it gives, of which kind and how far ahead; what its
labels meant and how its loss was weighted. Each of the five incidents in the design notes began
with one of these unrecorded.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal, Self

from pydantic import Field, JsonValue, model_validator

from plumbline.bundle.digest import name_of
from plumbline.bundle.heads import build_head
from plumbline.bundle.policies import POLICIES, Policy
from plumbline.bundle.record import Record
from plumbline.bundle.spec import FeatureSetSpec, InputSpec, OutputSpec

FORMAT: Final = 2
MANIFEST = "manifest.json"
REQUIRED_FILES = (
    "model.onnx",
    "calibration.json",
    "reference.npz",
    "validation.json",
    "golden.npz",
)
OPTIONAL_FILES = ("model.pt", "weights.safetensors", "stress.npz")
MAX_FILE_BYTES = 512 * 2**20


class FileDigest(Record):
    """What a file must be, byte for byte."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size: int = Field(ge=0, le=MAX_FILE_BYTES)


class ScalerSpec(Record):
    """The standardisation inside the graph, recorded for people: ``(x - mean) / scale``."""

    mean: tuple[float, ...]
    scale: tuple[float, ...]


class LabelSpec(Record):
    """What the truth meant in training."""

    kind: str
    horizon_seconds: int = Field(gt=0)
    parameters: dict[str, JsonValue] = Field(description="For instance the return threshold.")


class LossSpec(Record):
    """How the loss was weighted, without which probabilities cannot be corrected."""

    kind: str
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    tau: float = Field(0.0, description="Of logit adjustment in training; zero for plain losses.")


class DataSpec(Record):
    """Which rows it was trained on."""

    source: str = Field(description="Data set name, path or URL.")
    sha256: str = Field(description="Of the bars read.")
    symbols: tuple[str, ...]
    train_start: datetime
    train_end: datetime
    reference_start: datetime
    reference_end: datetime
    rows: dict[str, int] = Field(description="Row accounting: read, warm_up, masked, train, ...")


class PolicySpec(Record):
    """Which policy decides, and with what parameters."""

    kind: str
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    withheld: str = Field(
        "", description="Why sizes are zero whatever it says; empty where they are suggested."
    )


class Manifest(Record):
    """Identity card of a bundle; its SHA-256 is the bundle's version."""

    format: Literal[2] = FORMAT
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$", description="Model name.")
    inputs: tuple[InputSpec, ...] = Field(min_length=1, description="In the graph's order.")
    outputs: tuple[OutputSpec, ...] = Field(min_length=1, description="In the graph's order.")
    primary: str = Field(description="The output the policy decides by.")
    unit: Literal["row", "cross_section"] = Field(
        "row", description="What is answered as one; a cross-section is never split or shuffled."
    )
    feature_set: FeatureSetSpec | None = Field(
        None, description="None where the columns are a stranger's own."
    )
    family: str
    family_parameters: dict[str, JsonValue]
    bar_interval_seconds: int = Field(gt=0)
    scaler: ScalerSpec | None = None
    label: LabelSpec
    loss: LossSpec
    policy: PolicySpec
    data: DataSpec
    training: dict[str, JsonValue] = Field(description="The resolved training configuration.")
    seed: int
    opset: int
    tolerance: float = Field(
        1e-4,
        gt=0,
        description="Of golden rows, in raw numbers; a share of the largest of them in outputs "
        "whose numbers are all below 1.",
    )
    libraries: dict[str, str] = Field(description="Versions that made it.")
    parent: str | None = Field(None, description="Version it was warm-started or refitted from.")
    created: datetime
    files: dict[str, FileDigest]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        missing = sorted(set(REQUIRED_FILES) - set(self.files))
        unknown = sorted(set(self.files) - set(REQUIRED_FILES) - set(OPTIONAL_FILES))
        if missing or unknown:
            raise ValueError(f"files: {missing=}, {unknown=}")
        for what, specs in (("inputs", self.inputs), ("outputs", self.outputs)):
            names = [spec.name for spec in specs]
            if len(set(names)) != len(names):
                raise ValueError(f"{what}: names must be unique, found {names}")
        if self.primary not in {spec.name for spec in self.outputs}:
            raise ValueError(f"primary: there is no output {self.primary!r}")
        for spec in self.outputs:
            build_head(spec)
        if any(spec.source == "bars" for spec in self.inputs) and self.feature_set is None:
            raise ValueError("feature_set: a graph that takes bars must say what it computes")
        width = len(self.feature_names)
        if self.scaler and {len(self.scaler.mean), len(self.scaler.scale)} != {width}:
            raise ValueError("scaler must have one mean and one scale per feature")
        self.build_policy()
        return self

    def output(self, name: str) -> OutputSpec:
        """Return an output by name; raises `KeyError`."""
        found = {spec.name: spec for spec in self.outputs}
        return found[name]

    @property
    def primary_output(self) -> OutputSpec:
        """The output the policy decides by."""
        return self.output(self.primary)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Columns that are logged and watched: the last step of every feature input, in order.

        Those of the feature set, where the graph computes them from bars itself. With several
        feature inputs, a name that two of them have carries its input's name.
        """
        if any(spec.source == "bars" for spec in self.inputs) and self.feature_set is not None:
            return self.feature_set.names
        watched = [spec for spec in self.inputs if spec.source == "features"]
        if len(watched) == 1:
            return watched[0].names
        return tuple(f"{spec.name}.{name}" for spec in watched for name in spec.names)

    @property
    def actions(self) -> tuple[str, ...]:
        """Names of the policy's actions, in order; none for a policy without actions."""
        return self.build_policy().actions

    @property
    def raw_width(self) -> int:
        """Raw numbers of a row, all outputs together."""
        return sum(spec.numbers for spec in self.outputs)

    def build_policy(self) -> Policy[Any]:
        """Return the policy; raises `ValueError` if there is none such or it does not fit."""
        kind = POLICIES.get(self.policy.kind)
        if kind is None:
            raise ValueError(
                f"policy.kind is {self.policy.kind!r}, expected one of {sorted(POLICIES)}"
            )
        return kind(kind.Params.model_validate(self.policy.parameters), self.primary_output)

    @property
    def version(self) -> str:
        """The bundle's version: the first 16 hexadecimal digits of the manifest's SHA-256."""
        return version_of(self.to_json())


def version_of(manifest: bytes) -> str:
    """Return the version that these manifest bytes define."""
    return name_of(manifest)
