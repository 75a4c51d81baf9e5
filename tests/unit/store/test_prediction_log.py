"""Readers of the log: in order, each prediction once, never too early, never too much."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

import numpy as np
import pyarrow as pa
import pytest

from plumbline.store.columns import evenly
from plumbline.store.errors import StoreError
from plumbline.store.log import PredictionLog
from plumbline.store.objects import Objects
from plumbline.store.prediction import PREDICTIONS
from plumbline.store.segment import build_segments
from tests.support.rows import NOON, prediction_row, prediction_rows

SECOND = 1_000_000
START = datetime(2017, 7, 14, 12, tzinfo=UTC)
_names = count()


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = START + timedelta(hours=1)

    def __call__(self) -> float:
        """Return seconds since 1970."""
        return self.now.timestamp()


@pytest.fixture
def clock():
    """One o'clock, an hour after the first row."""
    return Clock()


@pytest.fixture
def objects():
    """An empty store."""
    return Objects(f"memory://log-{next(_names)}")


@pytest.fixture
def log(objects, clock):
    """A reader from the start."""
    return PredictionLog(objects, "eurusd-1h", clock=clock)


def write(objects, rows):
    """Put rows into the store, as a shipper does."""
    for segment in build_segments(PREDICTIONS, PREDICTIONS.cells(rows)):
        objects.create(segment.name.key, segment.data)


def ids(batch):
    """Return the numbers of the rows in a batch."""
    return [int(text.removeprefix("p-")) for text in batch.prediction_id]


def test_an_empty_log_gives_an_empty_batch(log):
    """Nothing is not an error."""
    batch, windows = log.windows(10)

    assert len(log.read_new()) == len(log.read()) == len(batch) == 0
    assert windows == []


def test_cells_arrive_as_they_were_written(objects, log):
    """Times, floats and texts are exact; an unknown bar time is -1."""
    rows = prediction_rows(range(3))
    write(objects, rows)
    batch = log.read_new()

    assert batch.time.tolist() == [row.time for row in rows]
    assert batch.bar_time.tolist() == [NOON, -1, NOON]
    assert batch.features.tobytes() == b"".join(row.features for row in rows)
    for name in ("raw", "centre", "epistemic"):
        written = b"".join(getattr(row, name) for row in rows)
        assert getattr(batch, name).tobytes() == written
    for name in ("seq", "symbol", "group", "client", "position", "size", "inputs_hash"):
        assert getattr(batch, name).tolist() == [getattr(row, name) for row in rows]
    assert batch.action.tolist() == [row.action for row in rows]
    assert batch.features.shape == (3, 4)


def test_a_policy_without_actions_leaves_none(objects, log):
    """Which is -1 among the numbers, and never the first action."""
    write(objects, [prediction_row(4), prediction_row(5)])
    batch = log.read_new()

    assert prediction_row(4).action is None
    assert batch.action.tolist() == [-1, prediction_row(5).action]


def test_rows_of_several_workers_come_in_one_order(objects, log):
    """Interleaved segments are merged by time."""
    write(objects, prediction_rows(range(0, 20, 2)))
    write(objects, prediction_rows(range(1, 20, 2)))

    assert ids(log.read_new()) == list(range(20))


def test_young_rows_wait_until_they_are_settled(objects, log, clock):
    """A row of another worker may still come before them."""
    clock.now = START + timedelta(seconds=10)
    write(objects, prediction_rows(range(5, 10)))
    early = ids(log.read_new())
    write(objects, prediction_rows(range(8, 11), prediction_id=None, time=NOON + 8 * SECOND + 5))
    clock.now += timedelta(seconds=5)

    assert early == [5, 6, 7]
    assert ids(log.read_new()) == [8, 10, 9]


def test_only_rows_not_returned_before_come(objects, log):
    """Segment by segment, and a row that was logged twice keeps its first form."""
    write(objects, prediction_rows(range(3)))
    first = ids(log.read_new())
    write(objects, prediction_rows(range(3, 5)))
    write(objects, [prediction_row(1, time=NOON + 30 * SECOND)])

    assert first == [0, 1, 2]
    assert ids(log.read_new()) == [3, 4]
    assert ids(log.read()) == [0, 1, 2, 3, 4]
    assert log.read().time[1] == NOON + SECOND


def test_a_late_segment_is_found_by_the_wide_look(objects, log, clock):
    """The spool of a machine that was away for a day comes out late, but it comes out."""
    log.read_new()
    write(objects, prediction_rows(range(3), time=NOON - 20 * 3600 * SECOND))
    at_once = ids(log.read_new())
    clock.now += timedelta(seconds=61)

    assert at_once == []
    assert ids(log.read_new()) == [0, 1, 2]


def test_the_next_hour_is_looked_at_before_it_begins(objects, log, clock):
    """A service whose clock is a little ahead is read without waiting for the wide look."""
    log.read_new()
    clock.now = START + timedelta(hours=2, seconds=-30)
    log.read_new()
    write(objects, [prediction_row(1, time=NOON + 2 * 3600 * SECOND + SECOND)])
    clock.now += timedelta(seconds=40)

    assert ids(log.read_new()) == [1]


def test_reading_starts_where_it_is_told(objects, clock):
    """Rows before `since` are left out, also those in the same segment."""
    write(objects, prediction_rows(range(10)))
    since = START + timedelta(seconds=7)

    assert ids(PredictionLog(objects, "eurusd-1h", since=since, clock=clock).read_new()) == [
        7,
        8,
        9,
    ]


def test_a_backlog_comes_in_pieces_and_in_order(objects, log):
    """Segments are read until there are rows enough; nothing overtakes what is still unread."""
    write(objects, prediction_rows(range(0, 60, 2)))
    for start in range(1, 60, 10):
        write(objects, prediction_rows(range(start, start + 10, 2)))
    pieces = []
    while len(batch := log.read_new(max_rows=10)):
        pieces.append(ids(batch))

    assert len(pieces) >= 4
    assert [n for piece in pieces for n in piece] == list(range(60))


def test_a_change_of_shape_starts_a_new_batch(objects, log):
    """Rows of a model with other features follow with the next call; nothing is padded."""
    write(objects, prediction_rows(range(3)))
    write(objects, prediction_rows(range(3, 5), features=7, version="b"))
    batches = [log.read_new() for _ in range(3)]

    assert [batch.features.shape for batch in batches] == [(3, 4), (2, 7), (0, 0)]
    with pytest.raises(StoreError, match=r"number of features \(\[4, 7\]\).*ask for one"):
        log.read()
    assert log.read(version="b").features.shape == (2, 7)


def test_a_damaged_segment_is_named_once_and_the_rest_goes_on(objects, log):
    """The monitor hears of it and does not stand still for ever."""
    write(objects, prediction_rows(range(3)))
    (segment,) = build_segments(PREDICTIONS, PREDICTIONS.cells(prediction_rows(range(5, 9))))
    objects.create(segment.name.key, segment.data[:100])
    write(objects, prediction_rows(range(10, 13)))
    with pytest.raises(StoreError, match=segment.name.key):
        log.read_new()

    assert ids(log.read_new()) == [0, 1, 2, 10, 11, 12]
    with pytest.raises(StoreError, match="truncated or changed"):
        log.read()


def test_a_range_is_half_open(objects, log):
    """`start` is in, `end` is out."""
    write(objects, prediction_rows(range(10)))
    batch = log.read(START + timedelta(seconds=3), START + timedelta(seconds=6))

    assert ids(batch) == [3, 4, 5]


def test_times_without_a_zone_are_refused(log):
    """Nobody guesses what was meant."""
    with pytest.raises(ValueError, match="time zone"):
        log.read(datetime(2017, 7, 14))


@pytest.mark.parametrize("limit", [0, 1, 7, 30, 100])
def test_a_limit_means_the_newest(objects, log, limit):
    """Whatever segments they lie in, overlapping ones and long ones included."""
    write(objects, prediction_rows(range(0, 30, 3)))
    for start in (1, 2):
        for number in range(start, 30, 3):
            write(objects, [prediction_row(number)])

    assert ids(log.read(limit=limit)) == list(range(30))[max(30 - limit, 0) :]


def test_windows_are_whole_and_spread_over_the_time(objects, log):
    """Rows without a window are skipped; those with one are taken from all of the range."""
    for start in range(0, 400, 10):
        window = 3 if start % 20 == 0 else None
        write(objects, prediction_rows(range(start, start + 10), window=window))
    batch, windows = log.windows(50)

    arrays = np.array([np.frombuffer(each, np.float32).reshape(3, 4) for each in windows])
    assert np.array_equal(arrays[:, -1], batch.features)
    assert len(windows) == 50
    assert np.all(np.diff(batch.time) > 0)
    assert np.diff(ids(batch)).max() <= 30
    assert ids(batch)[0] < 30
    assert ids(batch)[-1] > 360


def test_windows_read_no_more_segments_than_they_need(objects, clock):
    """A bounded sample of a long log has a bounded cost."""
    for start in range(0, 3000, 10):
        write(objects, prediction_rows(range(start, start + 10), window=2))
    counting = Counting(objects.url)
    batch, _ = PredictionLog(counting, "eurusd-1h", clock=clock).windows(100)

    assert len(batch) == 100
    assert counting.reads <= 64


def test_reading_on_costs_only_what_is_new(objects, clock):
    """With many segments known, a new one is one read."""
    for number in range(300):
        write(objects, [prediction_row(number)])
    counting = Counting(objects.url)
    log = PredictionLog(counting, "eurusd-1h", clock=clock)
    log.read_new()
    before = counting.reads
    write(objects, [prediction_row(2000)])

    assert ids(log.read_new()) == [2000]
    assert counting.reads - before == 1


class Counting(Objects):
    """A store that counts reads."""

    reads = 0

    def read(self, key: str) -> bytes:
        """Count and read."""
        self.reads += 1
        return super().read(key)


def test_a_sample_of_cross_sections_holds_whole_ones():
    """Spread over all of them, however few rows are wanted."""
    group = np.repeat([f"g{i}" for i in range(30)], 4)
    rows = pa.table({"group": group, "row": np.arange(120)})
    some, one = evenly(rows, 50), evenly(rows, 3)
    names, counts = np.unique(some.column("group").to_pylist(), return_counts=True)

    assert set(counts.tolist()) == {4}
    assert len(names) == 12
    assert {"g0", "g29"} <= set(names.tolist())
    assert len(one) == 4
    assert evenly(rows.set_column(0, "group", pa.array([""] * 120)), 50).num_rows == 50
