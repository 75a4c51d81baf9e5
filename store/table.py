"""The tables of the log: what a row is called, and which of its times decides where it lies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import TypeAlias

import pyarrow as pa

from store.outcome import OUTCOME_SCHEMA, OutcomeRow
from store.prediction import PREDICTION_SCHEMA, PredictionRow

Row: TypeAlias = PredictionRow | OutcomeRow
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
    kind: type[Row]
    schema: pa.Schema
    clock: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(field.name for field in fields(self.kind))

    def position(self, column: str) -> int:
        """Return where a column stands."""
        return self.columns.index(column)

    def cells(self, rows: Sequence[Row]) -> list[Cells]:
        """Return rows as tuples in column order."""
        take: Callable[[Row], Cells] = attrgetter(*self.columns)
        return [take(row) for row in rows]


PREDICTIONS = LogTable("predictions", PredictionRow, PREDICTION_SCHEMA, "time")
OUTCOMES = LogTable("outcomes", OutcomeRow, OUTCOME_SCHEMA, "received")
TABLES = (PREDICTIONS, OUTCOMES)
