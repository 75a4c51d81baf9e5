"""A table of the log: what its rows are, and which of their times decides where they lie."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, TypeAlias

import pyarrow as pa

Cells: TypeAlias = tuple[object, ...]


@dataclass(frozen=True)
class LogTable:
    """One kind of row, in the spool and in segments.

    Attributes
    ----------
    name
        Of the table in a spool, and of the top folder in the store.
    kind
        Class of its rows.
    schema
        Of its segments; same columns in the same order as the class.
    clock
        The column, set by the service, whose hour is the segment's folder.
    """

    name: str
    kind: type[Any]
    schema: pa.Schema
    clock: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(field.name for field in fields(self.kind))

    def position(self, column: str) -> int:
        """Return where a column stands."""
        return self.columns.index(column)

    def cells(self, rows: Sequence[Any]) -> list[Cells]:
        """Return rows as tuples in column order."""
        take: Callable[[Any], Cells] = attrgetter(*self.columns)
        return [take(row) for row in rows]
