"""Predictions as columns, and the files they are written to."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import IO, Any, Protocol

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from plumbline.cli.bulk_source import Batch
from plumbline.client import OtherOutput, Output, Prediction

FORMATS = ("parquet", "csv", "ndjson")
_TEXTS = frozenset({"action", "version", "verdict", "prediction_id", "symbol"})


def to_table(batch: Batch, predictions: Sequence[Prediction], *, whole: bool) -> pa.Table:
    """Return a row of columns per prediction.

    A single choice has ``probability_<C>`` and ``confidence``, as `plumbline diagnose` reads them.
    Of any other model each column begins with its output's name.
    """
    lines = [_columns(each) for each in predictions]
    columns: dict[str, pa.Array] = {
        "time": pa.array(batch.time, pa.timestamp("us", "UTC")),
        "symbol": pa.array([str(name) for name in batch.symbol], pa.string()),
    }
    if whole:
        columns["group"] = pa.array(batch.group, pa.int64())
    for name in lines[0]:
        kind = pa.string() if name in _TEXTS else None
        columns[name] = pa.array([line[name] for line in lines], kind)
    return pa.table(columns)


def _columns(one: Prediction) -> dict[str, Any]:
    line: dict[str, Any] = {"prediction_id": one.prediction_id} if one.prediction_id else {}
    line |= {"action": one.action, "position": one.position, "size": one.size}
    if one.outputs:
        for name, output in one.outputs.items():
            line |= {f"{name}_{key}": value for key, value in _said(output).items()}
    else:
        line |= {f"probability_{name}": p for name, p in (one.probabilities or {}).items()}
        line["confidence"] = one.confidence
    return line | {"version": one.version, "verdict": one.verdict.value}


def _said(output: Output) -> dict[str, Any]:
    if isinstance(output, OtherOutput):
        return dict(_flat(output.said))
    found = {each.name: getattr(output, each.name) for each in fields(output)}
    if "probabilities" in found:
        chances = found.pop("probabilities")
        found = {f"probability_{name}": p for name, p in chances.items()} | found
    if "interval" in found:
        found["low"], found["high"] = found.pop("interval")
    return found


def _flat(said: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in said.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}_")
        elif isinstance(value, list):
            yield from _flat({str(i): each for i, each in enumerate(value)}, f"{prefix}{name}_")
        else:
            yield f"{prefix}{name}", value


class Sink(Protocol):
    """Where tables go, one after the other."""

    def write(self, table: pa.Table) -> None:
        """Write one."""


class _ArrowSink:
    """Parquet or CSV; opened with the columns of the first table."""

    def __init__(self, file: IO[bytes], kind: str) -> None:
        self._file = file
        self._kind = kind
        self._writer: Any = None

    def write(self, table: pa.Table) -> None:
        """Write one table."""
        if self._writer is None:
            writer = (
                pyarrow.parquet.ParquetWriter if self._kind == "parquet" else pyarrow.csv.CSVWriter
            )
            self._writer = writer(self._file, table.schema)
        self._writer.write_table(table)

    def close(self) -> None:
        """Write what comes last."""
        if self._writer is not None:
            self._writer.close()


class _LineSink:
    """One JSON object a line."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, table: pa.Table) -> None:
        """Write one table."""
        for row in table.to_pylist():
            row["time"] = row["time"].isoformat()
            self._file.write(json.dumps(row, ensure_ascii=False, allow_nan=False).encode() + b"\n")

    def close(self) -> None:
        """Nothing comes last."""


@contextmanager
def sink(out: Path | None, kind: str) -> Iterator[Sink]:
    """Open a file, or stdout; what is not complete in the end is taken away.

    Parameters
    ----------
    out
        The file, None for stdout.
    kind
        One of `FORMATS`.
    """
    if out is None:
        yield from _written(sys.stdout.buffer, kind)
        sys.stdout.buffer.flush()
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.name}.part")
    try:
        with part.open("wb") as file:
            yield from _written(file, kind)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


def _written(file: IO[bytes], kind: str) -> Iterator[Sink]:
    made = _LineSink(file) if kind == "ndjson" else _ArrowSink(file, kind)
    yield made
    made.close()


def format_of(out: Path | None, said: str | None) -> str | None:
    """Return the format that is said, or that a file's name says; CSV for stdout; None if none."""
    if said is not None:
        return said if said in FORMATS else None
    if out is None:
        return "csv"
    return {".jsonl": "ndjson"}.get(
        out.suffix, out.suffix[1:] if out.suffix[1:] in FORMATS else None
    )
