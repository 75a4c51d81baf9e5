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
        pa.field("seq", pa.int64(), nullable=False),
        pa.field("time", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("bar_time", pa.timestamp("us", tz="UTC")),
        pa.field("symbol", pa.string(), nullable=False),
        pa.field("group", pa.string(), nullable=False),
        pa.field("client", pa.string(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("version", pa.string(), nullable=False),
        pa.field("latency_us", pa.int32(), nullable=False),
        pa.field("raw", pa.list_(pa.float32()), nullable=False),
        pa.field("centre", pa.list_(pa.float32()), nullable=False),
        pa.field("epistemic", pa.list_(pa.float32()), nullable=False),
        pa.field("action", pa.int8()),
        pa.field("position", pa.float64(), nullable=False),
        pa.field("size", pa.float64(), nullable=False),
        pa.field("features", pa.list_(pa.float32()), nullable=False),
        pa.field("inputs_hash", pa.string(), nullable=False),
        pa.field("window", pa.binary()),
    ]
)


@dataclass(frozen=True, slots=True)
class PredictionRow:
    """What was answered, to what, by which version.

    Attributes
    ----------
    prediction_id
        Unique; a retry with the same client id gives the same one, and readers keep the first.
    seq
        Grows by the row within one worker, whatever its clock does.
    time
        When it was answered, microseconds since 1970 UTC.
    bar_time
        Open time of the window's last bar, microseconds since 1970 UTC, if the client said so.
    group
        Which rows were one cross-section; empty for a model that judges row by row.
    client
        Who asked, where that is known; else empty.
    raw : (Σ members · width,) float32 as bytes
        Every output in the manifest's order, before calibration.
    centre : (Σ width,) float32 as bytes
        Calibrated: probabilities, mean and deviation, or score.
    epistemic : (outputs,) float32 as bytes
        Disagreement of the members.
    action
        Place among the policy's actions; None for a policy without any.
    position, size
        As the policy suggests for a healthy model.
    features : (f,) float32 as bytes
        Last step of the window, before scaling.
    inputs_hash
        16 hexadecimal digits over all inputs; equal inputs have equal hashes.
    window : bytes, or None
        All inputs (`bundle.inputs.input_bytes`), for a bounded sample of rows.
    """

    prediction_id: str
    seq: int
    time: int
    bar_time: int | None
    symbol: str
    group: str
    client: str
    model: str
    version: str
    latency_us: int
    raw: bytes
    centre: bytes
    epistemic: bytes
    action: int | None
    position: float
    size: float
    features: bytes
    inputs_hash: str
    window: bytes | None


PREDICTIONS = LogTable("predictions", PredictionRow, PREDICTION_SCHEMA, clock="time")


@dataclass(frozen=True, slots=True)
class ShadowRow(PredictionRow):
    """What a challenger would have answered, under the id of the prediction that was given.

    Nobody was told: these rows lie in a table of their own, so that whoever reads predictions
    reads answers. Where the challenger had no finite answer ``raw`` is not finite either.
    """


SHADOWS = LogTable("shadows", ShadowRow, PREDICTION_SCHEMA, clock="time")


@dataclass(frozen=True)
class PredictionBatch:
    """Rows of the log as columns, oldest first by `time`.

    Attributes
    ----------
    prediction_id, symbol, group, client, version, inputs_hash : (n,) str
    seq : (n,) int64
    time, bar_time : (n,) int64
        Microseconds since 1970 UTC; ``bar_time`` is -1 where the client did not say.
    action : (n,) int8
        -1 where the policy has no actions.
    position, size : (n,) float64
    raw, centre, epistemic : (n, …) float32
        Outputs beside each other, in the manifest's order.
    features : (n, f) float32
    window : (n,) object
        All inputs as bytes, for `bundle.inputs.parse_inputs`; None where they were not kept.
    """

    prediction_id: np.ndarray
    seq: IntArray
    time: IntArray
    bar_time: IntArray
    symbol: np.ndarray
    group: np.ndarray
    client: np.ndarray
    version: np.ndarray
    action: IntArray
    position: FloatArray
    size: FloatArray
    raw: FloatArray
    centre: FloatArray
    epistemic: FloatArray
    features: FloatArray
    inputs_hash: np.ndarray
    window: np.ndarray

    def __len__(self) -> int:
        return len(self.time)

    def take(self, rows: IntArray | slice | np.ndarray) -> Self:
        """Return the rows at these positions, or where this mask is true."""
        names = self.__dataclass_fields__
        return type(self)(**{name: getattr(self, name)[rows] for name in names})
