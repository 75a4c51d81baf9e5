"""What a person says of the model they bring: ``pack.toml``."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, JsonValue, ValidationError, model_validator

from plumbline.bundle.heads import HEADS
from plumbline.bundle.record import Record
from plumbline.bundle.spec import Identifier, InputSource, Position
from plumbline.bundle.suggestion import suggestion, unknown_key
from plumbline.training.complaint import complaint_of
from plumbline.training.errors import ConfigError

_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"(\d+)\s*(s|min|m|h|d|w)")


def seconds(value: object) -> object:
    """Read ``"6h"``, ``"5d"`` or ``"30min"`` as seconds; numbers stay what they are."""
    if not isinstance(value, str):
        return value
    found = _DURATION.fullmatch(value.strip())
    if found is None:
        raise ValueError(f"expected a duration like 30min, 6h or 5d, got {value!r}")
    return int(found[1]) * _UNITS[found[2]]


Seconds = Annotated[int, BeforeValidator(seconds), Field(gt=0)]


class PackedInput(Record):
    """One input of the graph."""

    name: str = Field(description="As the graph calls it.")
    columns: tuple[str, ...] = Field((), description="Of the reference, in order; all by default.")
    steps: int | None = Field(
        None, ge=1, description="Rows of a window, where the graph leaves them open."
    )
    source: InputSource = "features"
    value: tuple[float, ...] | None = Field(None, description="Of an input from the bundle.")


class PackedOutput(Record):
    """One output, made of one or two of the graph's."""

    name: Identifier
    kind: str = Field("choice", description="choice, value or score.")
    of: tuple[str, ...] = Field(
        (),
        alias="from",
        description="Graph outputs: one, or mean and deviation. The only fitting one by default.",
    )
    form: Literal["logits", "probabilities", "mean", "score"] | None = Field(
        None, description="Told from the reference rows by default."
    )
    deviation: Literal["std", "variance", "log_std", "log_variance"] = Field(
        "std", description="What the second number of a value is."
    )
    choices: tuple[str, ...] = ()
    positions: tuple[Position, ...] = Field((), description="What each choice bets on, -1 to 1.")
    horizon: Seconds = Field(description="How far ahead: 6h, 5d.")
    members: int = Field(1, ge=1, description="Posterior samples or ensemble partners.")
    label: str | None = Field(
        None, description="Column of the truth; the output's name by default."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.choices or self.positions) and self.kind in {"value", "score"}:
            raise ValueError(f"a {self.kind} has no choices and no positions: leave them out")
        if self.kind not in HEADS:
            raise ValueError(f"kind is {self.kind!r}: {suggestion(self.kind, sorted(HEADS))}")
        if len(set(self.choices)) != len(self.choices):
            raise ValueError(f"choices must be unique, found {list(self.choices)}")
        if self.choices and self.positions and len(self.choices) != len(self.positions):
            raise ValueError(
                f"expected a position for each choice of {list(self.choices)}, found "
                f"{list(self.positions)}"
            )
        return self


class PackedPolicy(Record):
    """What is done with the primary output, which is the first."""

    kind: str
    parameters: dict[str, JsonValue] = Field(default_factory=dict)


class PackSpec(Record):
    """A stranger's model, described.

    Raises
    ------
    ValidationError
        If a key is unknown or a value makes no sense.
    """

    name: str | None = Field(None, description="Of the model; --model overrides it.")
    bar_interval: Seconds = Field(description="From one row of a symbol to the next: 1h, 1d.")
    unit: Literal["row", "cross_section"] | None = Field(
        None, description="cross_section for scores, else row, by default."
    )
    inputs: tuple[PackedInput, ...] = ()
    outputs: tuple[PackedOutput, ...] = Field(min_length=1)
    policy: PackedPolicy | None = None
    source: str = Field("", description="Where its training data came from, for people.")

    @model_validator(mode="after")
    def _unique(self) -> Self:
        names = [output.name for output in self.outputs]
        if len(set(names)) != len(names):
            raise ValueError(f"outputs must have names of their own, found {names}")
        if self.unit == "row" and any(output.kind == "score" for output in self.outputs):
            raise ValueError("unit is row, and a score has a rank among others: say cross_section")
        return self

    @property
    def is_cross_section(self) -> bool:
        """Whether rows of one moment are answered as one."""
        if self.unit is not None:
            return self.unit == "cross_section"
        return any(output.kind == "score" for output in self.outputs)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a TOML file.

        Raises
        ------
        ConfigError
            If it is not there, not TOML, or a key or value is wrong; the message names it.
        """
        try:
            values: dict[str, Any] = tomllib.loads(path.read_text())
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot read {path}: {error}") from error
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{path}: not TOML: {error}") from error
        return cls.of(values, str(path))

    @classmethod
    def of(cls, values: Mapping[str, Any], source: str) -> Self:
        """Check what a description says, as `read` does; ``source`` is what complaints call it."""
        if (complaint := unknown_key(values, cls)) is not None:
            raise ConfigError(f"{source}: {complaint}")
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise ConfigError(f"{source}: {complaint_of(error)}") from error
