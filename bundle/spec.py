"""What a model takes and what it gives: named, shaped, and of a kind."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, JsonValue, model_validator

from plumbline.bundle.digest import sha256_of
from plumbline.bundle.record import Record

InputSource: TypeAlias = Literal["features", "bars", "bundle", "log"]
"""Where an input comes from: the request (columns, or raw bars), the bundle itself, or the log."""

BAR_COLUMNS = ("time", "open", "high", "low", "close", "volume")
"""Columns of an input of raw bars; ``time`` is the open time in seconds since 1970 UTC."""

FEATURES = "features"
"""Name of the extra output of a graph that takes bars: its columns of the last one."""

Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
Position = Annotated[float, Field(ge=-1, le=1)]
Size = Annotated[int, Field(ge=1)]


def names_hash(names: tuple[str, ...]) -> str:
    """Return the SHA-256 of column names in order, so that a permutation is a difference."""
    return sha256_of("\n".join(names).encode())


class InputSpec(Record):
    """One input of the graph.

    The graph takes ``(n, *shape)``. The last axis are the named columns; where there are two axes,
    the first is time, oldest first.
    """

    name: Identifier
    shape: tuple[Size, ...] = Field(min_length=1, max_length=2, description="Of one row.")
    source: InputSource = "features"
    names: tuple[str, ...] = Field(min_length=1, description="Of the last axis.")
    dtype: Literal["float32", "float64"] = "float32"
    value: tuple[float, ...] | None = Field(
        None, description="Of an input from the bundle: the same for every row, flattened."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.names)) != len(self.names):
            raise ValueError(f"input {self.name}: column names must be unique")
        if len(self.names) != self.shape[-1]:
            raise ValueError(
                f"input {self.name}: {len(self.names)} names for {self.shape[-1]} columns"
            )
        if self.source == "bars" and self.names != BAR_COLUMNS:
            raise ValueError(f"input {self.name}: raw bars have the columns {BAR_COLUMNS}")
        if (self.value is not None) != (self.source == "bundle"):
            raise ValueError(f"input {self.name}: a value is for inputs from the bundle, and only")
        if self.value is not None and len(self.value) != math.prod(self.shape):
            raise ValueError(f"input {self.name}: value must have {math.prod(self.shape)} numbers")
        return self

    @property
    def steps(self) -> int:
        """Steps in time; 1 without such an axis."""
        return self.shape[0] if len(self.shape) > 1 else 1

    @property
    def sha256(self) -> str:
        """Of the column names in order."""
        return names_hash(self.names)


class OutputSpec(Record):
    """One output of the graph: ``(n, members · width)`` or ``(n, members, width)``."""

    name: Identifier
    kind: str = Field(description="Name of its head: choice, value, score, or a plug-in's.")
    horizon_seconds: int = Field(gt=0, description="How far ahead the truth lies.")
    width: Size = Field(description="Numbers a member gives for one row.")
    members: Size = Field(1, description="Posterior samples or ensemble partners.")
    choices: tuple[str, ...] = Field((), description="Of a choice, in the order of the numbers.")
    positions: tuple[Position, ...] = Field(
        (), description="Of a choice: what each bets on, -1 (it falls) to 1 (it rises)."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.choices)) != len(self.choices):
            raise ValueError(f"output {self.name}: choices must be unique")
        if self.positions and len(self.positions) != len(self.choices):
            raise ValueError(f"output {self.name}: positions must have one number per choice")
        return self

    @property
    def numbers(self) -> int:
        """Raw numbers of one row."""
        return self.members * self.width


class FeatureSetSpec(Record):
    """The columns the graph computes, or was taught on, and what made them."""

    kind: str
    version: int = Field(ge=1)
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    names: tuple[str, ...] = Field(min_length=1)
    sha256: str

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.names)) != len(self.names):
            raise ValueError("feature names must be unique")
        if self.sha256 != names_hash(self.names):
            raise ValueError("sha256 is not that of the names in this order")
        return self

    @classmethod
    def of(
        cls,
        names: tuple[str, ...],
        *,
        kind: str,
        version: int = 1,
        parameters: dict[str, JsonValue] | None = None,
    ) -> Self:
        """Build the specification of these columns."""
        return cls(
            kind=kind,
            version=version,
            parameters=parameters or {},
            names=names,
            sha256=names_hash(names),
        )
