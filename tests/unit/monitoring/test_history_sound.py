"""Nobody is accused for what happens to sound streams: mishaps of the log, of bars, of restarts."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from plumbline.monitoring.watching.audit.history import History
from plumbline.store.prediction import PredictionBatch
from tests.support.histories import WIDTH, WINDOW, audited, taught
from tests.support.logged import FIRST, HOUR, Client, columns, in_log_order, later

BARS = 1_500
SEEDS = range(3)


def client(seed: int = 0, **how: object) -> Client:
    """Return a sound client."""
    return Client.hourly(BARS, WIDTH, WINDOW, seed=seed, **how)  # type: ignore[arg-type]


def log_of(asks: Client, seed: int = 0) -> PredictionBatch:
    """Return all that it asks."""
    return asks.rows(range(WINDOW, BARS), seed=seed)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("mishap", ["none", "dropped", "disordered", "repeated", "both"])
def test_mishaps_of_the_log_accuse_nobody(mishap: str, seed: int) -> None:
    """A tenth of the rows lost, neighbours exchanged, rows twice, and all of it at once."""
    rng = np.random.default_rng(seed)
    rows = log_of(client(seed), seed)
    n = len(rows)
    if mishap in ("repeated", "both"):
        rows = rows.take(np.sort(np.append(np.arange(n), rng.choice(n, n // 5))))
    if mishap in ("disordered", "both"):
        order = np.arange(len(rows)) + rng.normal(0, 1.5, len(rows))
        rows = rows.take(np.argsort(order, kind="stable"))
    if mishap in ("dropped", "both"):
        rows = rows.take(rng.random(len(rows)) > 0.1)

    assert audited(rows) == ([], [])


@pytest.mark.parametrize("seed", SEEDS)
def test_two_workers_out_of_step_accuse_nobody(seed: int) -> None:
    """One is seven bars behind the other, and asks about the same symbol."""
    asks = client(seed)
    rows = in_log_order([log_of(asks, seed), later(log_of(asks, seed + 50), 7 * HOUR + 1)])

    assert audited(rows) == ([], [])


@pytest.mark.parametrize("seed", SEEDS)
def test_another_rounding_accuses_nobody(seed: int) -> None:
    """A client that computes its history anew for each row has never the hash, and is sound."""

    def sent(window: np.ndarray, bar: int) -> np.ndarray:
        noise = np.random.default_rng(bar).normal(0, 1e-6, window.shape)
        window[:-1] = (window * (1 + noise))[:-1]
        return window

    assert audited(log_of(client(seed, sent=sent), seed)) == ([], [])


def remembering(bars: np.ndarray) -> np.ndarray:
    """Return columns that remember bars ``(n,)`` for 1 to 48 of them, as real ones do."""
    found = []
    for span in (1, 2, 3, 6, 12, 24, 48):
        padded = np.concatenate([np.zeros(span), bars])
        windows = np.lib.stride_tricks.sliding_window_view(padded, span + 1)[: len(bars)]
        found += [windows[:, -1] - windows[:, 0], windows.std(axis=1)]
    return np.stack(found[:WIDTH], axis=1).astype(np.float32)


@pytest.mark.parametrize("depth", [0, 1, 3, 8, 15, 25, 60])
def test_a_revised_bar_accuses_nobody(depth: int) -> None:
    """However old it is, and however long the columns remember it."""
    rng = np.random.default_rng(depth)
    bars = np.cumsum(rng.normal(size=BARS))
    state = {"known": remembering(bars)}
    revisions = set(range(150, BARS, 90))

    def sent(window: np.ndarray, bar: int) -> np.ndarray:
        if bar in revisions:
            revisions.discard(bar)
            bars[bar - depth - 1] += 3 * rng.normal()
            state["known"] = remembering(bars)
        return state["known"][bar + 1 - WINDOW : bar + 1]

    asks = Client(remembering(bars), WINDOW, FIRST + HOUR * np.arange(BARS), sent=sent)
    manifest, reference = taught()
    history = History(manifest, replace(reference, features=remembering(bars)[:400]))
    rows = asks.rows(range(WINDOW, BARS), seed=depth, ratio=0.15)

    assert audited(rows, history) == ([], [])


def test_a_restart_accuses_nobody() -> None:
    """A client comes back after ten bars with history that it has read again."""
    rows = log_of(client())
    kept = np.delete(np.arange(len(rows)), np.r_[200:210, 700:800, 1_000])

    assert audited(rows.take(kept)) == ([], [])


@pytest.mark.parametrize("known", [True, False])
def test_weekends_accuse_nobody(*, known: bool) -> None:
    """Bars that follow each other over a gap, whether the reference has seen such a gap or not."""
    manifest, reference = taught()
    hours = np.arange(6 * BARS)
    times = FIRST + HOUR * hours[(hours // 24) % 7 < 5][:BARS]
    if known:
        weekdays = FIRST - HOUR * hours[((hours - 1) // 24) % 7 >= 2][:400][::-1]
        reference = replace(reference, bar_time=weekdays)
    asks = Client(columns(BARS, WIDTH), WINDOW, times)
    history = History(manifest, reference)

    assert audited(log_of(asks), history) == ([], [])


def test_symbols_that_come_and_go_accuse_nobody() -> None:
    """Thirty symbols, each there for a while, some of them twice."""
    rng = np.random.default_rng(0)
    parts = []
    for i in range(30):
        asks = client(i, symbol=f"S{i}")
        begin = int(rng.integers(WINDOW, 900))
        parts.append(asks.rows(range(begin, begin + 200), seed=i))
        parts.append(asks.rows(range(begin + 300, begin + 500), seed=i))

    assert audited(in_log_order(parts)) == ([], [])


@pytest.mark.parametrize("until", [304, 312, 360, 500])
@pytest.mark.parametrize("ratio", [0.0, 0.3])
def test_a_frozen_feed_is_not_accused_here(until: int, ratio: float) -> None:
    """It is told by a detector of its own; nor are the true windows that follow an untruth."""

    def sent(window: np.ndarray, bar: int) -> np.ndarray:
        return frozen if 300 <= bar < until else window

    asks = client(sent=sent)
    frozen = asks.values[300 - WINDOW : 300].copy()

    assert audited(asks.rows(range(WINDOW, 450), ratio=ratio)) == ([], [])


def test_a_flood_of_symbols_is_fast_and_accuses_nobody() -> None:
    """Twenty thousand made-up names with made-up windows, beside one real stream."""
    real = log_of(client())
    rng = np.random.default_rng(0)
    n = 20_000
    steps = rng.normal(size=(n, WINDOW, WIDTH)).astype(np.float32)
    whole = np.empty(n, object)
    whole[::10] = [each.tobytes() for each in steps[::10]]
    made_up = replace(
        real.take(rng.integers(0, len(real), n)),
        symbol=np.array([f"made-up-{i}" for i in range(n)]),
        features=steps[:, -1],
        inputs_hash=np.full(n, "0" * 16),
        window=whole,
    )
    rows = in_log_order([real, made_up])
    history = History(*taught())
    begin = time.process_time()
    found = audited(rows, history, size=500)

    assert found == ([], [])
    assert (time.process_time() - begin) / len(rows) < 200e-6


@pytest.mark.parametrize("window", [1, 2, 3, 5])
def test_short_windows_accuse_nobody(window: int) -> None:
    """With so few steps, one dropped row or revised bar is much of a window."""
    rng = np.random.default_rng(window)
    asks = Client.hourly(BARS, WIDTH, window)
    rows = asks.rows(range(window, BARS), ratio=0.3)
    rows = rows.take(rng.random(len(rows)) > 0.05)
    history = History(*taught(window))

    assert audited(rows, history) == ([], [])
