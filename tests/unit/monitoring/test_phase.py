"""Columns of the time of day that are those of another time say how late a feed is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from plumbline.diagnosis.exact.relation import RelationKind
from plumbline.monitoring.watching.audit.client_fault import ClientFault
from plumbline.monitoring.watching.audit.history import History
from plumbline.monitoring.watching.audit.phase import ROWS, ROWS_TOGETHER
from plumbline.store.prediction import PredictionBatch
from tests.support.histories import WIDTH, WINDOW, audited, taught
from tests.support.logged import FIRST, HOUR, Client, columns, in_log_order

BARS = 500
ONSET = 132
TIMED = ("feature_2", "feature_3", "feature_5")
TIMED_PLACES = [2, 3, 5]


def timed(times: np.ndarray, seed: int) -> np.ndarray:
    """Return columns of which three are functions of the time."""
    values = columns(len(times), WIDTH, seed)
    angle = 2 * np.pi * (times % (24 * HOUR)) / (24 * HOUR)
    values[:, 2], values[:, 3] = np.sin(angle), np.cos(angle)
    values[:, 5] = (times // (24 * HOUR)) % 7
    return values


def history() -> History:
    """Return the history of a model that is shown the time."""
    manifest, reference = taught()
    times = FIRST - HOUR * np.arange(600, 0, -1)
    longer = reference.take(np.arange(600) % len(reference))
    return History(manifest, replace(longer, bar_time=times, features=timed(times, 99)))


def log_of(
    late: int = 0,
    *,
    ahead: int = 0,
    symbol: str = "EURUSD",
    seed: int = 0,
    since: int = ONSET,
    until: int = BARS,
) -> PredictionBatch:
    """Return rows that for a while carry older columns, or the times of bars that lie ahead."""
    times = FIRST + HOUR * np.arange(BARS)
    sound = timed(times, seed)
    sent = sound.copy()
    sent[since:until] = sound[np.arange(since, until) - late]
    said = times.copy()
    said[since:until] += ahead * HOUR
    return Client(sent, WINDOW, said, symbol=symbol).rows(range(WINDOW, BARS), ratio=0.0)


def phases(rows: PredictionBatch) -> tuple[list[tuple[int, ClientFault]], list[int]]:
    """Return what is found of the time, and the rows at which it was over."""
    found, over = audited(rows, history())
    return (
        [(row, fault) for row, fault in found if fault.kind == "phase"],
        [row for row, fault in over if fault.kind == "phase"],
    )


@pytest.mark.parametrize("bars", [1, 2, 5, 24])
def test_a_late_feed_is_named(bars: int) -> None:
    """Fifteen rows that agree are enough, of a client that was right before."""
    found, _ = phases(log_of(bars))
    ((row, fault),) = found

    assert row == ONSET - WINDOW + ROWS - 1
    assert fault.columns == TIMED
    assert fault.difference is not None
    assert fault.difference.kind is RelationKind.LATE
    assert fault.difference.relations[2].rows == bars
    assert f"the feed is {bars} bar" in fault.cause


@pytest.mark.parametrize("hours", [2, 9, -3])
def test_another_time_zone_is_named(hours: int) -> None:
    """A client that says the bars of another zone than its columns are of, from a row on."""
    found, _ = phases(log_of(ahead=hours))
    ((_, fault),) = found

    assert f"those of {abs(hours)} hours {'earlier' if hours > 0 else 'later'}" in fault.cause


def test_right_columns_accuse_nobody() -> None:
    """Whatever else is in the row."""
    assert phases(log_of()) == ([], [])


@pytest.mark.parametrize("bars", [1, 5])
def test_what_was_always_so_is_no_fault(bars: int) -> None:
    """Who counts bars in another way from the first row on, as a replay may, is not accused."""
    assert phases(log_of(bars, since=WINDOW)) == ([], [])


def test_a_replay_that_goes_on_elsewhere_is_no_fault() -> None:
    """Its columns are of another time all of a sudden, and nothing repeats."""
    rows = log_of()
    made_up = FIRST + HOUR * np.arange(300)
    elsewhere = rows.take(np.r_[0:150, 207:357])

    assert phases(replace(elsewhere, bar_time=made_up + WINDOW * HOUR)) == ([], [])


def test_a_feed_that_comes_right_is_over() -> None:
    """After fifteen rows."""
    found, over = phases(log_of(5, until=300))

    assert len(found) == 1
    assert over == [300 - WINDOW + ROWS - 1]


def test_a_wrong_clock_of_all_symbols_is_the_clients() -> None:
    """Twenty rows of ten symbols are enough, and it is told once."""
    rows = in_log_order([log_of(5, symbol=f"S{i}", seed=i) for i in range(10)])
    found, _ = phases(rows)

    assert [(row, fault.symbol) for row, fault in found] == [
        (10 * (ONSET - WINDOW) + ROWS_TOGETHER - 1, "")
    ]


def test_one_late_symbol_of_ten_is_named() -> None:
    """And no other."""
    rows = in_log_order([log_of(5 if i == 4 else 0, symbol=f"S{i}", seed=i) for i in range(10)])
    found, _ = phases(rows)

    assert [fault.symbol for _, fault in found] == ["S4"]


def test_changed_columns_are_no_clock() -> None:
    """A column of the hour that arrives otherwise is no other time: others name it."""
    rows = log_of()
    features = rows.features.copy()
    features[:, 2] *= 3

    assert phases(replace(rows, features=features)) == ([], [])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda x: x * np.float32(1.5), "x 1.5"),
        (lambda x: (x - np.float32(3)) / np.float32(7), "shifted"),
        (lambda x: x[:, [1, 2, 0]], "with the values of"),
    ],
)
def test_columns_of_no_time_are_wrong_from_the_first_row(
    change: Callable[[np.ndarray], np.ndarray], said: str
) -> None:
    """A client that has always computed them otherwise agrees with itself, not with the clock."""
    rows = log_of()
    features = rows.features.copy()
    features[:, TIMED_PLACES] = change(features[:, TIMED_PLACES])
    ((row, fault),), _ = phases(replace(rows, features=features))

    assert row == ROWS - 1
    assert "are those of no time of the" in fault.cause
    assert said in fault.cause


def test_a_replay_under_made_up_times_is_of_some_time() -> None:
    """Whatever its times are: from the first row on, and where it goes on elsewhere."""
    rows = log_of()
    for hours in (5, 24 * 30 + 7):
        assert phases(replace(rows, bar_time=rows.bar_time + hours * HOUR)) == ([], [])


@pytest.mark.parametrize("seed", range(4))
def test_another_time_zone_is_named_where_the_other_columns_go_on(seed: int) -> None:
    """No window fits any more and no bar time jumps: that the market goes on shows it."""
    times = FIRST + HOUR * np.arange(BARS)
    sent = timed(times, seed)
    sent[ONSET:, TIMED_PLACES] = timed(times + 7 * HOUR, seed)[ONSET:, TIMED_PLACES]
    rows = Client(sent, WINDOW, times).rows(range(WINDOW, BARS), ratio=0.0)
    strange = replace(rows, inputs_hash=np.arange(len(rows)).astype(str))
    found, _ = phases(strange)

    assert ["7 hours later" in fault.cause for _, fault in found] == [True]


def test_windows_whose_clock_was_set_are_a_change() -> None:
    """No revised bar moves the hour of bars that had been sent, be it one of summer time."""
    times = FIRST + HOUR * np.arange(BARS)

    def set_clock(window: np.ndarray, bar: int) -> np.ndarray:
        if bar >= ONSET:
            own = times[bar + 1 - WINDOW : bar + 1]
            window[:, TIMED_PLACES] = timed(own + HOUR, 0)[:, TIMED_PLACES]
        return window

    rows = Client(timed(times, 0), WINDOW, times, sent=set_clock).rows(range(WINDOW, BARS))
    found, _ = audited(rows, history())

    assert "change" in {fault.kind for _, fault in found}


@pytest.mark.parametrize("hours", [1, 2])
def test_summer_time_accuses_nobody(hours: int) -> None:
    """An hour in the half of the year that the reference has not seen is the local clock's."""
    manifest, reference = taught()
    winter = FIRST - 190 * 24 * HOUR - HOUR * np.arange(600, 0, -1)
    longer = reference.take(np.arange(600) % len(reference))
    learnt = History(manifest, replace(longer, bar_time=winter, features=timed(winter, 99)))
    found, _ = audited(log_of(hours), learnt)

    assert len(found) == hours - 1
