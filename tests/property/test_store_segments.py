"""Segments hold exactly the rows they were made of, and say so in their names."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline.store.errors import StoreError
from plumbline.store.outcome import OUTCOMES, OutcomeRow
from plumbline.store.prediction import PREDICTIONS, PredictionRow
from plumbline.store.segment import (
    SegmentName,
    build_segments,
    digest_of,
    read_segment,
    write_segment,
)
from plumbline.store.table import LogTable
from tests.support.rows import prediction_rows

RELAXED = settings(deadline=None)
MOMENTS = st.integers(0, 9_999_999_999_999_999)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
MODELS = st.sampled_from(["eurusd-1h", "gold-1d"])
FLOATS = st.lists(st.floats(width=32), max_size=6).map(lambda v: np.array(v, "<f4").tobytes())
PREDICTION = st.builds(
    PredictionRow,
    prediction_id=TEXTS,
    seq=st.integers(0, 2**62),
    time=MOMENTS,
    bar_time=st.none() | MOMENTS,
    symbol=TEXTS,
    group=TEXTS,
    client=TEXTS,
    model=MODELS,
    version=TEXTS,
    latency_us=st.integers(0, 2**31 - 1),
    raw=FLOATS,
    centre=FLOATS,
    epistemic=FLOATS,
    action=st.none() | st.integers(0, 127),
    position=st.floats(-1, 1),
    size=st.floats(0, 1),
    features=FLOATS,
    inputs_hash=TEXTS,
    window=st.none() | st.binary(max_size=30),
)
OUTCOME = st.builds(
    OutcomeRow,
    prediction_id=TEXTS,
    known_at=MOMENTS,
    received=MOMENTS,
    model=MODELS,
    output=TEXTS,
    label=st.none() | TEXTS,
    value=st.none() | st.floats(allow_nan=False),
)
LOGS = st.one_of(
    st.tuples(st.just(PREDICTIONS), st.lists(PREDICTION, min_size=1, max_size=8)),
    st.tuples(st.just(OUTCOMES), st.lists(OUTCOME, min_size=1, max_size=8)),
)
SEGMENTS = build_segments(PREDICTIONS, PREDICTIONS.cells(prediction_rows(range(20), window=3)))


def rows_of(table: LogTable, arrow: pa.Table) -> list[tuple]:
    """Return Arrow columns as rows in column order, the reverse of `write_segment`."""
    columns = []
    for name in table.columns:
        column = arrow.column(name)
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.int64())
        values = column.to_pylist()
        if pa.types.is_list(column.type):
            values = [v if v is None else np.asarray(v, np.float32).tobytes() for v in values]
        columns.append(values)
    return list(zip(*columns, strict=True))


@RELAXED
@given(LOGS)
def test_rows_survive_parquet(log):
    """Every cell comes back, bit for bit, nulls and empty lists included."""
    table, rows = log
    cells = table.cells(rows)

    data = write_segment(table, cells)
    name = SegmentName(0, 0, len(cells), digest_of(data), "somewhere")

    assert rows_of(table, read_segment(table, name, data)) == cells


@RELAXED
@given(LOGS)
def test_the_same_rows_make_the_same_segments(log):
    """Names and bytes depend on the rows alone, which is why a crash makes no duplicate."""
    table, rows = log

    assert build_segments(table, table.cells(rows)) == build_segments(table, table.cells(rows))


@RELAXED
@given(LOGS)
def test_segments_divide_the_rows_by_model_and_hour(log):
    """No row is lost or doubled, and each lies where its name says."""
    table, rows = log
    found = []
    for segment in build_segments(table, table.cells(rows)):
        mine = rows_of(table, read_segment(table, segment.name, segment.data))
        times = [row[table.position(table.clock)] for row in mine]
        models = {row[table.position("model")] for row in mine}
        found += mine

        assert SegmentName.parse(segment.name.key) == segment.name
        assert (segment.name.first, segment.name.last) == (min(times), max(times))
        assert segment.name.rows == len(mine)
        assert len({time // 3_600_000_000 for time in times}) == 1
        assert {segment.name.folder.split("/")[1]} == models

    assert sorted(found, key=repr) == sorted(table.cells(rows), key=repr)


@RELAXED
@given(st.lists(PREDICTION, min_size=2, max_size=4, unique_by=lambda row: row.prediction_id))
def test_other_rows_make_other_names(rows):
    """Two different sets of rows never share a key, even with equal times and counts."""
    cells = PREDICTIONS.cells(rows)
    keys = [build_segments(PREDICTIONS, [row])[0].name.key for row in cells[:2]]

    assert keys[0] != keys[1]


@settings(RELAXED, max_examples=300)
@given(data=st.data())
def test_no_damaged_byte_is_parsed(data):
    """Any flipped byte and any truncation is refused by the file's name."""
    segment = data.draw(st.sampled_from(SEGMENTS))
    changed = bytearray(segment.data)
    if data.draw(st.booleans()):
        changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    else:
        del changed[data.draw(st.integers(0, len(changed) - 1)) :]

    with pytest.raises(StoreError, match=f"{segment.name.key}: truncated or changed"):
        read_segment(PREDICTIONS, segment.name, bytes(changed))


@RELAXED
@given(st.binary(max_size=100))
def test_noise_under_its_own_digest_is_no_segment(noise):
    """A right name does not make a right file."""
    name = SegmentName(0, 0, 1, digest_of(noise), "predictions/m/date=2017-07-14/hour=12")

    with pytest.raises(StoreError, match=f"{name.key}: not a predictions segment"):
        read_segment(PREDICTIONS, name, noise)


@pytest.mark.parametrize(
    "key", ["predictions/m/date=2017-07-14/hour=12/x.parquet", "x", "", "a/b.parquet#1"]
)
def test_a_key_that_is_no_segment_is_passed_over(key):
    """Other objects in the folder disturb nobody."""
    assert SegmentName.parse(key) is None
