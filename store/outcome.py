"""What became of a prediction: realised choices and values, late and repeated arrivals allowed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plumbline.bundle.array import AnyArray, BoolArray, FloatArray, IntArray
from plumbline.bundle.moment import microseconds
from plumbline.store.index import SegmentIndex
from plumbline.store.objects import Objects
from plumbline.store.prediction import PredictionBatch
from plumbline.store.segment import read_segment
from plumbline.store.table import LogTable

_SKEW = 60_000_000
"""Microseconds by which the clocks of two workers may differ."""

OUTCOME_SCHEMA = pa.schema(
    [
        pa.field("prediction_id", pa.string(), nullable=False),
        pa.field("known_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("received", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("output", pa.string(), nullable=False),
        pa.field("label", pa.string()),
        pa.field("value", pa.float64()),
    ]
)


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """What turned out, for one prediction.

    Attributes
    ----------
    prediction_id
        Of the prediction; an outcome may arrive before the prediction's own row is sealed.
    known_at
        When it was known, by the client's account; the latest wins. Microseconds since 1970 UTC.
    received
        When the service took it, by the service's clock; decides ties and the segment's folder.
    output
        Of which output; each has an outcome of its own.
    label
        Name of the choice that came true, if the client said.
    value
        What the value turned out to be (a return, over the output's horizon), if the client said.
    """

    prediction_id: str
    known_at: int
    received: int
    model: str
    output: str
    label: str | None
    value: float | None


OUTCOMES = LogTable("outcomes", OutcomeRow, OUTCOME_SCHEMA, clock="received")


@dataclass(frozen=True)
class OutcomeBatch:
    """Outcomes as columns, the deciding one of each prediction and output alone.

    Attributes
    ----------
    prediction_id, output : (n,) str
        Sorted by output, then by prediction; each pair once.
    known_at, received : (n,) int64
        Microseconds since 1970 UTC.
    label : (n,) str
        Name of the choice, empty where the client gave none.
    value : (n,) float64
        NaN where the client gave none.
    """

    prediction_id: AnyArray
    output: AnyArray
    known_at: IntArray
    received: IntArray
    label: AnyArray
    value: FloatArray

    def __len__(self) -> int:
        return len(self.known_at)


@dataclass(frozen=True)
class JoinedOutcomes:
    """What became of each row of a batch of predictions, in its order.

    Attributes
    ----------
    known : (n,) bool
        Whether any outcome has arrived.
    label : (n,) str
        Name of the choice, empty where there is none.
    value : (n,) float64
        NaN where there is none.
    """

    known: BoolArray
    label: AnyArray
    value: FloatArray


class OutcomeLog:
    """The outcomes of one model's predictions; the last by event time wins."""

    def __init__(self, objects: Objects, model: str) -> None:
        self._objects = objects
        self._index = SegmentIndex(objects, OUTCOMES, model)

    def read(self, start: datetime | None = None, end: datetime | None = None) -> OutcomeBatch:
        """Return the outcomes *received* in ``start <= received < end``.

        Raises
        ------
        StoreError
            If the store failed or a segment is damaged.
        """
        first = None if start is None else microseconds(start)
        last = None if end is None else microseconds(end)
        return self._read(first, last)

    def join(self, predictions: PredictionBatch, output: str) -> JoinedOutcomes:
        """Find what became of one output of these predictions, by id.

        Raises
        ------
        StoreError
            If the store failed or a segment is damaged.
        """
        n = len(predictions)
        joined = JoinedOutcomes(np.zeros(n, np.bool_), np.full(n, ""), np.full(n, np.nan))
        if n == 0:
            return joined
        outcomes = self._read(int(predictions.time.min()) - _SKEW, None)
        own = outcomes.output == output
        if not own.any():
            return joined
        ids, labels, values = outcomes.prediction_id[own], outcomes.label[own], outcomes.value[own]
        place = np.minimum(np.searchsorted(ids, predictions.prediction_id), len(ids) - 1)
        known = ids[place] == predictions.prediction_id
        return JoinedOutcomes(
            known=known,
            label=np.where(known, labels[place], ""),
            value=np.where(known, values[place], np.nan),
        )

    def _read(self, first: int | None, last: int | None) -> OutcomeBatch:
        names = self._index.between(first, last)
        contents = self._objects.read_many([name.key for name in names])
        tables = [OUTCOME_SCHEMA.empty_table()]
        for name, data in zip(names, contents, strict=True):
            tables.append(read_segment(OUTCOMES, name, data))
        rows = pa.concat_tables(tables)
        received = _integers(rows, "received")
        wanted = np.ones(len(rows), np.bool_)
        if first is not None:
            wanted &= received >= first
        if last is not None:
            wanted &= received < last
        return _latest(rows.filter(pa.array(wanted)))


def _latest(rows: pa.Table) -> OutcomeBatch:
    """Keep the row of each prediction and output with the latest event time, then arrival."""
    ids, outputs = _texts(rows, "prediction_id"), _texts(rows, "output")
    known_at, received = _integers(rows, "known_at"), _integers(rows, "received")
    order = np.lexsort((received, known_at, ids, outputs))
    next_id, next_output = ids[order][1:], outputs[order][1:]
    differs = (next_id != ids[order][:-1]) | (next_output != outputs[order][:-1])
    keep = order[np.append(differs, True)[: len(order)]]
    return OutcomeBatch(
        prediction_id=ids[keep],
        output=outputs[keep],
        known_at=known_at[keep],
        received=received[keep],
        label=_texts(rows, "label")[keep],
        value=pc.fill_null(rows.column("value"), np.nan).to_numpy()[keep],
    )


def _texts(rows: pa.Table, name: str) -> AnyArray:
    return np.asarray(pc.fill_null(rows.column(name), "").to_numpy(), dtype=str)


def _integers(rows: pa.Table, name: str) -> IntArray:
    times: IntArray = rows.column(name).cast(pa.int64()).to_numpy()
    return times
