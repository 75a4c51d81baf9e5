"""The manifest: every field whose absence has caused an incident.

A served model must be able to say which features it wants and in which order, what length of window
at what bar interval, what its classes are called, what its labels meant and how its loss was
weighted. Each of the five incidents in the design notes began with one of these unrecorded.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal, Self

from pydantic import Field, JsonValue, model_validator

from plumbline.bundle.digest import name_of, sha256_of
from plumbline.bundle.policy import DecisionPolicy
from plumbline.bundle.record import Record

FORMAT: Final = 1
MANIFEST = "manifest.json"
REQUIRED_FILES = (
    "model.onnx",
    "calibration.json",
    "reference.npz",
    "validation.json",
    "golden.npz",
)
OPTIONAL_FILES = ("model.pt",)
MAX_FILE_BYTES = 512 * 2**20


def features_hash(names: tuple[str, ...]) -> str:
    """Return the SHA-256 of feature names in order, so that a permutation is a difference."""
    return sha256_of("\n".join(names).encode())


class FileDigest(Record):
    """What a file must be, byte for byte."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size: int = Field(ge=0, le=MAX_FILE_BYTES)


class FeatureSpec(Record):
    """Feature names in the order of the input's last axis."""

    names: tuple[str, ...] = Field(min_length=1)
    sha256: str

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.names)) != len(self.names):
            raise ValueError("feature names must be unique")
        if self.sha256 != features_hash(self.names):
            raise ValueError("sha256 is not that of the names in this order")
        return self

    @classmethod
    def of(cls, names: tuple[str, ...]) -> Self:
        """Build the specification of these names."""
        return cls(names=names, sha256=features_hash(names))


class ScalerSpec(Record):
    """The standardisation inside the graph, recorded for people: ``(x - mean) / scale``."""

    mean: tuple[float, ...]
    scale: tuple[float, ...]


class LabelSpec(Record):
    """What the classes meant in training."""

    kind: str
    horizon_seconds: int = Field(gt=0)
    parameters: dict[str, JsonValue] = Field(description="For instance the return threshold.")


class LossSpec(Record):
    """How the loss was weighted, without which probabilities cannot be corrected."""

    kind: str
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    class_weights: tuple[float, ...] | None = None
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


class Manifest(Record):
    """Identity card of a bundle; its SHA-256 is the bundle's version."""

    format: Literal[1] = FORMAT
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$", description="Model name.")
    task: Literal["action", "binary", "regression"]
    classes: tuple[str, ...] = Field(description="In the order of the logits.")
    family: str
    family_parameters: dict[str, JsonValue]
    features: FeatureSpec
    window_length: int = Field(ge=1)
    bar_interval_seconds: int = Field(gt=0)
    scaler: ScalerSpec
    label: LabelSpec
    loss: LossSpec
    policy: DecisionPolicy
    data: DataSpec
    training: dict[str, JsonValue] = Field(description="The resolved training configuration.")
    seed: int
    opset: int
    tolerance: float = Field(1e-4, gt=0, description="Of golden rows, absolute, in logits.")
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
        if len(self.policy.prior) != len(self.classes):
            raise ValueError("policy.prior must have one number per class")
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("classes must be unique")
        if {len(self.scaler.mean), len(self.scaler.scale)} != {len(self.features.names)}:
            raise ValueError("scaler must have one mean and one scale per feature")
        return self

    @property
    def version(self) -> str:
        """The bundle's version: the first 16 hexadecimal digits of the manifest's SHA-256."""
        return version_of(self.to_json())


def version_of(manifest: bytes) -> str:
    """Return the version that these manifest bytes define."""
    return name_of(manifest)
