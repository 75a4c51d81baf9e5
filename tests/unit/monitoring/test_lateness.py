"""A feed that falls behind the clock is called late, and nothing else is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from plumbline.monitoring.watching.audit.client_fault import ClientFault
from plumbline.store.prediction import PredictionBatch
from tests.support.histories import WIDTH, WINDOW, audited
from tests.support.logged import HOUR, Client, in_log_order

BARS = 400
ONSET = 200


def log_of(symbol: str = "EURUSD", *, seed: int = 0) -> PredictionBatch:
    """Return rows that are answered some seconds after their bar is over."""
    rows = Client.hourly(BARS, WIDTH, WINDOW, seed=seed, symbol=symbol).rows(
        range(WINDOW, BARS), ratio=0.0
    )
    jitter = np.random.default_rng(seed).integers(0, 60_000_000, len(rows))
    return replace(rows, time=rows.time + jitter)


def behind(rows: PredictionBatch, bars: int, *, until: int = BARS) -> PredictionBatch:
    """Return what is logged if from the onset on a feed gives bars that are so much older."""
    time = rows.time.copy()
    bar_time = rows.bar_time.copy()
    late = slice(ONSET, until)
    bar_time[late] = rows.bar_time[late] - bars * HOUR
    return replace(rows, time=time, bar_time=bar_time)


def late(rows: PredictionBatch) -> tuple[list[tuple[int, ClientFault]], list[int]]:
    """Return the late feeds found, and the rows at which one was over."""
    found, over = audited(rows)
    return (
        [(row, fault) for row, fault in found if fault.kind == "late"],
        [row for row, fault in over if fault.kind == "late"],
    )


@pytest.mark.parametrize("bars", [1, 2, 5, 48])
def test_a_late_feed_is_found_within_a_day(bars: int) -> None:
    """Once, and by how much it is late is said."""
    found, _ = late(behind(log_of(), bars))
    ((row, fault),) = found

    assert ONSET <= row <= ONSET + 26
    assert f"{bars} bar{'' if bars == 1 else 's'} older by the clock" in fault.cause
    assert fault.symbol == "EURUSD"


def test_a_feed_that_catches_up_is_right_again() -> None:
    """Some rows after it has."""
    found, over = late(behind(log_of(), 3, until=ONSET + 60))

    assert len(found) == len(over) == 1
    assert ONSET + 60 <= over[0] <= ONSET + 90


def test_a_late_feed_of_all_symbols_is_the_clients() -> None:
    """Told once, of everything the client sends, or after one symbol of it."""
    rows = in_log_order([behind(log_of(f"S{i}", seed=i), 4) for i in range(8)])
    found, _ = late(rows)

    assert found[-1][1].symbol == ""
    assert len(found) <= 2


@pytest.mark.parametrize("speed", [10, 1_000, 100_000])
def test_a_replay_has_no_clock(speed: int) -> None:
    """Years in minutes: whatever bars it jumps to, nobody is late."""
    rows = behind(log_of(), 48)
    first = rows.time[0]

    assert late(replace(rows, time=first + (rows.time - first) // speed)) == ([], [])


@pytest.mark.parametrize("jump", [1, 5, 50])
def test_a_clock_that_is_set_accuses_nobody(jump: int) -> None:
    """Forward, for all rows after it, and later back."""
    rows = log_of()
    time = rows.time.copy()
    time[ONSET:] += jump * HOUR
    time[ONSET + 80 :] -= jump * HOUR

    assert late(replace(rows, time=time)) == ([], [])


def test_a_backlog_that_is_caught_up_with_accuses_nobody() -> None:
    """A client that was away asks about all bars at once, and goes on."""
    rows = log_of()
    time = rows.time.copy()
    time[ONSET : ONSET + 40] = rows.time[ONSET + 40] + np.arange(40) * 1_000

    assert late(replace(rows, time=time)) == ([], [])


@pytest.mark.parametrize("bars", [1, 7])
def test_a_worker_that_is_late_by_chance_accuses_nobody(bars: int) -> None:
    """Half of the rows, at random, are answered so many bars later."""
    rows = log_of()
    time = rows.time + bars * HOUR * np.random.default_rng(5).integers(0, 2, len(rows))
    order = np.argsort(time, kind="stable")

    assert late(replace(rows, time=time).take(order)) == ([], [])


def test_a_clients_habit_is_no_lateness() -> None:
    """One that always asks half a bar later, and one whose hour of asking wanders."""
    rows = log_of()
    habit = replace(rows, time=rows.time + HOUR // 2)
    wander = rows.time + np.random.default_rng(0).integers(0, HOUR // 2, len(rows))

    assert late(habit) == ([], [])
    assert late(replace(rows, time=wander)) == ([], [])


def test_a_silence_is_no_lateness() -> None:
    """Bars that nobody asked about, a night or a weekend, make nobody late."""
    rows = log_of()
    kept = np.delete(np.arange(len(rows)), np.r_[100:110, 200:250, 300])

    assert late(rows.take(kept)) == ([], [])


def test_monday_mornings_are_no_lateness() -> None:
    """A client that asks about Friday's daily bar on Monday does so every week."""
    day = 24 * HOUR
    rows = log_of()
    days = np.arange(len(rows) * 7 // 5 + 7)
    weekdays = days[(days + 4) % 7 < 5][: len(rows) + 1]
    bar_time, asked = weekdays[:-1] * day, weekdays[1:] * day + 9 * HOUR
    found, over = late(replace(rows, bar_time=bar_time, time=asked))

    assert (found, over) == ([], [])


def test_what_was_always_so_is_no_lateness() -> None:
    """Five bars behind, or ahead, from the first row on may be how a client counts."""
    rows = log_of()

    assert late(replace(rows, bar_time=rows.bar_time - 5 * HOUR)) == ([], [])
    assert late(replace(rows, bar_time=rows.bar_time + 5 * HOUR)) == ([], [])
