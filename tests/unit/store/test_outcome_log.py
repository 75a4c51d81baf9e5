"""Outcomes: late, repeated and partial ones, and the last by event time."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count

import numpy as np
import pytest

from plumbline.store.errors import StoreError
from plumbline.store.log import PredictionLog
from plumbline.store.objects import Objects
from plumbline.store.outcome import OUTCOMES, SKEW, OutcomeLog
from plumbline.store.prediction import PREDICTIONS
from plumbline.store.segment import build_segments
from tests.support.rows import NOON, outcome_row, prediction_rows

_names = count()


@pytest.fixture
def objects():
    """An empty store."""
    return Objects(f"memory://outcomes-{next(_names)}")


def write(objects, rows, table=OUTCOMES):
    """Put rows into the store, as a shipper does."""
    for segment in build_segments(table, table.cells(rows)):
        objects.create(segment.name.key, segment.data)


def test_the_last_by_event_time_wins(objects):
    """The order of arrival does not matter, unless the event times are equal."""
    write(objects, [outcome_row("a", known_at=3, received=NOON, label="BUY")])
    write(objects, [outcome_row("a", known_at=1, received=NOON + 9, label="SELL")])
    write(
        objects,
        [
            outcome_row("b", known_at=1, received=NOON + 2, label="HOLD"),
            outcome_row("b", known_at=1, received=NOON + 1, label="SELL"),
        ],
    )
    batch = OutcomeLog(objects, "eurusd-1h").read()

    assert batch.prediction_id.tolist() == ["a", "b"]
    assert batch.label.tolist() == ["BUY", "HOLD"]


def test_what_a_client_does_not_say_is_empty(objects):
    """No label is an empty text, no value is NaN."""
    write(objects, [outcome_row("a", label=None), outcome_row("b", value=None)])
    batch = OutcomeLog(objects, "eurusd-1h").read()

    assert batch.label.tolist() == ["", "BUY"]
    assert np.isnan(batch.value).tolist() == [False, True]


def test_outcomes_are_joined_by_id_in_the_order_of_the_predictions(objects):
    """Outcomes of other predictions are no matter; predictions without one are unknown."""
    write(objects, prediction_rows(range(4)), PREDICTIONS)
    write(
        objects,
        [
            outcome_row("p-000002", received=NOON + 10**12, label="SELL", value=-0.1),
            outcome_row("p-000000", label="BUY", value=0.1),
            outcome_row("unknown"),
        ],
    )
    predictions = PredictionLog(objects, "eurusd-1h").read()
    joined = OutcomeLog(objects, "eurusd-1h").join(predictions, "h6")

    assert joined.known.tolist() == [True, False, True, False]
    assert joined.label.tolist() == ["BUY", "", "SELL", ""]
    assert np.array_equal(joined.value, [0.1, np.nan, -0.1, np.nan], equal_nan=True)


def test_joining_nothing_gives_nothing(objects):
    """No predictions, or no outcomes, are not an error."""
    empty = PredictionLog(objects, "eurusd-1h").read()
    outcomes = OutcomeLog(objects, "eurusd-1h")
    without = outcomes.join(empty, "h6")
    write(objects, prediction_rows(range(2)), PREDICTIONS)

    assert len(without.known) == 0
    written = PredictionLog(objects, "eurusd-1h").read()
    assert outcomes.join(written, "h6").known.tolist() == [False] * 2


def test_each_output_of_a_prediction_has_an_outcome_of_its_own(objects):
    """One does not replace the other, and each is joined to its own output."""
    write(objects, prediction_rows(range(2)), PREDICTIONS)
    write(
        objects,
        [
            outcome_row("p-000000", output="h6", label="BUY", value=None),
            outcome_row("p-000000", output="r24", label=None, value=0.3, known_at=NOON + 1),
            outcome_row("p-000000", output="r24", label=None, value=0.1),
        ],
    )
    log = OutcomeLog(objects, "eurusd-1h")
    predictions = PredictionLog(objects, "eurusd-1h").read()

    assert log.read().output.tolist() == ["h6", "r24"]
    assert log.join(predictions, "h6").label.tolist() == ["BUY", ""]
    assert log.join(predictions, "r24").value[0] == 0.3
    assert log.join(predictions, "nope").known.tolist() == [False, False]


def test_a_range_is_of_arrival(objects):
    """So that yesterday's outcomes are found by when they were told."""
    write(objects, [outcome_row("a", received=NOON), outcome_row("b", received=NOON + 1)])
    end = datetime.fromtimestamp(NOON / 1e6, UTC)
    log = OutcomeLog(objects, "eurusd-1h")

    assert len(log.read(end=end)) == 0
    assert len(log.read(start=end)) == 2


def test_what_was_known_after_it_arrived_never_wins(objects):
    """Dated 2199 it would win for ever; it is left out, counted, and the true one decides."""
    far = NOON + 180 * 365 * 86_400_000_000
    write(
        objects,
        [
            outcome_row("a", known_at=NOON, received=NOON, label="BUY"),
            outcome_row("a", known_at=far, received=NOON + 1, label="SELL"),
            outcome_row("b", known_at=NOON + SKEW, received=NOON, label="HOLD"),
        ],
    )
    batch = OutcomeLog(objects, "eurusd-1h").read()

    assert batch.label.tolist() == ["BUY", "HOLD"]
    assert batch.from_future == 1


def following(objects, **settings):
    """An outcome log that reads on, at noon."""
    return OutcomeLog(objects, "eurusd-1h", clock=lambda: NOON / 1e6, **settings)


def test_new_ones_come_once_and_as_they_arrived(objects):
    """A correction comes as a row of its own, whatever was read before."""
    log = following(objects)
    write(objects, [outcome_row("a", received=NOON - 5, label="BUY")])
    first = log.read_new()
    write(
        objects,
        [
            outcome_row("b", received=NOON - 2, label="HOLD"),
            outcome_row("a", received=NOON - 3, label="SELL"),
        ],
    )
    second = log.read_new()

    assert (first.prediction_id.tolist(), first.label.tolist()) == (["a"], ["BUY"])
    assert (second.prediction_id.tolist(), second.label.tolist()) == (["a", "b"], ["SELL", "HOLD"])
    assert len(log.read_new()) == 0


def test_reading_on_begins_where_it_is_told(objects):
    """However long ago that is; and what arrived before is no news."""
    month = 30 * 86_400_000_000
    arrived = [NOON - i * month for i in range(4)]
    write(objects, [outcome_row(str(i), known_at=t, received=t) for i, t in enumerate(arrived)])
    since = datetime.fromtimestamp((NOON - 2 * month) / 1e6, UTC)

    assert following(objects, since=since).read_new().prediction_id.tolist() == ["2", "1", "0"]
    assert following(objects).read_new().prediction_id.tolist() == ["0"]


def test_a_damaged_segment_is_named_once_and_costs_no_other(objects):
    """The rows of the whole ones around it follow with the next call."""
    for number in range(3):
        write(objects, [outcome_row(str(number), received=NOON - 3 + number)])
    keys = sorted(key for key in objects.keys("outcomes"))
    data = objects.read(keys[1])
    objects.delete(keys[1])
    objects.create(keys[1], data[:-1] + b"x")
    log = following(objects)

    with pytest.raises(StoreError, match="truncated or changed"):
        log.read_new()
    assert log.read_new().prediction_id.tolist() == ["0", "2"]
