"""One row of the prediction log, and many of them as columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.store.table import LogTable

PREDICTION_SCHEMA = pa.schema(
    [
        pa.field("prediction_id", pa.string(), nullable=False),
        pa.field("time", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("bar_time", pa.timestamp("us", tz="UTC")),
        pa.field("symbol", pa.string(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("version", pa.string(), nullable=False),
        pa.field("action", pa.int8(), nullable=False),
        pa.field("logits", pa.list_(pa.float32()), nullable=False),
        pa.field("probabilities", pa.list_(pa.float32()), nullable=False),
        pa.field("features", pa.list_(pa.float32()), nullable=False),
        pa.field("window_hash", pa.string(), nullable=False),
        pa.field("latency_us", pa.int32(), nullable=False),
        pa.field("window", pa.list_(pa.float32())),
    ]
)


@dataclass(frozen=True, slots=True)
class PredictionRow:
    """What was answered, to what, by which version.

    Attributes
    ----------
    prediction_id
        Unique; a retry with the same client id gives the same one, and readers keep the first.
    time
        When it was answered, microseconds since 1970 UTC.
    bar_time
        Open time of the window's last bar, microseconds since 1970 UTC, if the client said so.
    logits, probabilities : (k,) float32 as bytes
        Raw, and calibrated.
    features : (f,) float32 as bytes
        Last step of the window, before scaling.
    window_hash
        16 hexadecimal digits over the whole window; equal windows have equal hashes.
    window : (t * f,) float32 as bytes, or None
        The whole window, for a bounded sample of rows.
    """

    prediction_id: str
    time: int
    bar_time: int | None
    symbol: str
    model: str
    version: str
    action: int
    logits: bytes
    probabilities: bytes
    features: bytes
    window_hash: str
    latency_us: int
    window: bytes | None


PREDICTIONS = LogTable("predictions", PredictionRow, PREDICTION_SCHEMA, clock="time")


@dataclass(frozen=True)
class PredictionBatch:
    """Rows of the log as columns, oldest first by `time`.

    Attributes
    ----------
    prediction_id, symbol, version, window_hash : (n,) str
    time, bar_time : (n,) int64
        Microseconds since 1970 UTC; ``bar_time`` is -1 where the client did not say.
    action : (n,) int8
    logits, probabilities : (n, k) float32
    features : (n, f) float32
    """

    prediction_id: np.ndarray
    time: IntArray
    bar_time: IntArray
    symbol: np.ndarray
    version: np.ndarray
    action: IntArray
    logits: FloatArray
    probabilities: FloatArray
    features: FloatArray
    window_hash: np.ndarray

    def __len__(self) -> int:
        return len(self.time)

    def take(self, rows: IntArray | slice | np.ndarray) -> Self:
        """Return the rows at these positions, or where this mask is true."""
        names = self.__dataclass_fields__
        return type(self)(**{name: getattr(self, name)[rows] for name in names})
