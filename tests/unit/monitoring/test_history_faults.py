"""A client whose history is wrong, or who computes otherwise from a row on, is told so, and how."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.bundle.verdict import Verdict
from plumbline.diagnosis.exact.relation import RelationKind
from plumbline.monitoring.watching.audit.history import History
from plumbline.store.prediction import PredictionBatch
from tests.support.histories import (
    ONSET,
    WIDTH,
    WINDOW,
    audited,
    behind,
    on,
    otherwise,
    taught,
)
from tests.support.logged import Client, Sent, columns, in_log_order, sound

BEFORE = 60
BARS = 220
SEEDS = range(12)

ORDER = [1, 2, 3, 0, *range(4, WIDTH)]
REFERENCE = columns(400, WIDTH, seed=99)


def averaged(x: np.ndarray) -> np.ndarray:
    """Return each step with half of the one before it."""
    return np.concatenate([x[:1], (x[1:] + x[:-1]) / 2])


CHANGES: dict[str, tuple[Sent, RelationKind, str]] = {
    "factor": (otherwise(lambda x: x * 1.5), RelationKind.SCALED, "all columns arrive x 1.5"),
    "factor on three": (
        otherwise(on([0, 3, 7], lambda x: x * 1.5)),
        RelationKind.SCALED,
        "columns feature_0, feature_3, feature_7 arrive x 1.5; the others are right",
    ),
    "sign": (
        otherwise(on([1], lambda x: -x)),
        RelationKind.SIGN,
        "column feature_1 arrives with the sign turned; the others are right",
    ),
    "unit": (
        otherwise(on([2], lambda x: x * 1e4)),
        RelationKind.UNIT,
        "column feature_2 arrives in another unit, x 1e+04; the others are right",
    ),
    "order": (
        otherwise(lambda x: x[:, ORDER]),
        RelationKind.PERMUTED,
        (
            "columns feature_0, feature_1, feature_2, feature_3 arrive in another order; the "
            "others are right"
        ),
    ),
    "offset": (
        otherwise(on([3], lambda x: x + 4)),
        RelationKind.SHIFTED,
        "column feature_3 arrives shifted by +4; the others are right",
    ),
    "zero": (
        otherwise(on([8, 9], lambda x: x * 0)),
        RelationKind.BLANK,
        "columns feature_8, feature_9 arrive blank; the others are right",
    ),
    "twice standardised": (
        otherwise(lambda x: (x - REFERENCE.mean(axis=0)) / REFERENCE.std(axis=0) / 3),
        RelationKind.AFFINE,
        "",
    ),
}
"""Name: what is sent from the onset on, what it is called, and the sentence."""


def hour_late(window: np.ndarray) -> np.ndarray:
    """Return a history two steps late, the oldest one repeated."""
    return np.vstack([window[:1], window[:1], window[:-2]])


def half_blank(window: np.ndarray) -> np.ndarray:
    """Return a history that was padded in front."""
    return np.vstack([window[:16] * 0, window[16:]])


def tiled(window: np.ndarray, bar: int) -> np.ndarray:
    """Return the newest step over and over."""
    return np.repeat(window[-1:], len(window), axis=0) if bar >= ONSET else window


HISTORIES: dict[str, tuple[Sent, RelationKind]] = {
    "blank": (behind(lambda x: x * 0), RelationKind.BLANK),
    "reversed": (behind(lambda x: x[::-1]), RelationKind.REVERSED),
    "late": (behind(hour_late), RelationKind.LATE),
    "factor": (behind(lambda x: x * 1.5), RelationKind.SCALED),
    "half blank": (behind(half_blank), RelationKind.BLANK),
    "tiled": (tiled, RelationKind.TILED),
    "another symbol's": (
        behind(lambda x: columns(400, WIDTH, seed=3)[: len(x)]),
        RelationKind.OTHER,
    ),
}


def log_of(sent: Sent, seed: int, *, symbol: str = "EURUSD", bars: int = BARS) -> PredictionBatch:
    """Return the log of one symbol from a while before the onset."""
    asks = Client.hourly(bars, WIDTH, WINDOW, seed=seed, sent=sent, symbol=symbol)
    return asks.rows(range(BEFORE, bars), seed=seed + 1_000)


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_found_and_named(name: str) -> None:
    """Once, as a change, soon: ten of twelve, half of them within 20 rows; never before it."""
    sent, kind, sentence = CHANGES[name]
    delays = []
    for seed in SEEDS:
        found, over = audited(log_of(sent, seed))
        assert len(found) <= 1
        assert not over
        for row, fault in found:
            assert fault.kind == "change"
            assert fault.verdict is Verdict.SCHEMA_SKEW
            assert fault.difference is not None
            assert fault.difference.kind is kind
            assert sentence in fault.cause
            delays.append(row - (ONSET - BEFORE) + 1)
            assert delays[-1] >= 1
            assert abs(fault.since_rows - delays[-1]) <= 3

    assert len(delays) >= 10
    assert np.median(delays) <= 20


def test_columns_averaged_with_the_steps_before_are_a_change() -> None:
    """No revised bar averages two of twelve columns; windows with eight such steps tell."""
    found = [audited(log_of(otherwise(on([4, 6], averaged)), seed))[0] for seed in SEEDS]
    told = [fault for each in found for _, fault in each]

    assert len(told) >= 8
    assert {fault.kind for fault in told} == {"change"}
    assert all("feature_4, feature_6 arrive averaged with" in fault.cause for fault in told)


@pytest.mark.parametrize("length", [16, 24, 80])
def test_an_average_that_is_undone_is_over(length: int) -> None:
    """One window with steps enough, put through the average, is what was sent meanwhile."""
    found = over = 0
    for seed in SEEDS:
        sent = otherwise(on([4, 6], averaged), until=ONSET + length)
        client = Client.hourly(2 * BARS, WIDTH, WINDOW, seed=seed, sent=sent)
        told, ended = audited(client.rows(range(BEFORE, 2 * BARS), seed=seed + 100))
        found, over = found + len(told), over + len(ended)

    assert found >= 6
    assert over >= found - 2


@pytest.mark.parametrize("name", HISTORIES)
def test_a_wrong_history_is_found_and_named(name: str) -> None:
    """Always, as a history, half of them within 20 rows; one of half a window needs three."""
    sent, kind = HISTORIES[name]
    delays = []
    for seed in SEEDS:
        found, over = audited(log_of(sent, seed))
        assert not over
        ((row, fault),) = found
        assert fault.kind == "history"
        assert fault.difference is not None
        assert fault.difference.kind is kind
        assert fault.cause.startswith("The history in the windows of EURUSD is not what was sent")
        delays.append(row - (ONSET - BEFORE) + 1)

    assert min(delays) >= 1
    assert np.median(delays) <= (40 if name == "half blank" else 20)


def test_a_history_that_was_always_wrong_is_found() -> None:
    """The last steps are right from the first row on, and windows contradict them."""
    found, _ = audited(log_of(behind(lambda x: x * 0, since=0), 1))

    assert [fault.kind for _, fault in found] == ["history"]


def test_only_whole_windows_accuse() -> None:
    """Hashes that do not fit are no proof: nothing is said while no window is logged whole."""
    asks = Client.hourly(BARS, WIDTH, WINDOW, sent=CHANGES["factor"][0])
    found, _ = audited(asks.rows(range(BEFORE, BARS), ratio=0.0))

    assert found == []


def test_the_window_after_a_change_is_known_again() -> None:
    """From a whole window and the steps since, long before the ring is full of new steps."""
    asks = Client.hourly(BARS, WIDTH, WINDOW, sent=CHANGES["factor"][0])
    rows = asks.rows(range(BEFORE, BARS), ratio=0.0)
    at = ONSET - BEFORE + 5
    whole = Client.hourly(BARS, WIDTH, WINDOW, sent=CHANGES["factor"][0])
    rows.window[at] = whole.rows(range(BEFORE, BARS), ratio=1.0).window[at]
    rebuilt = History(*taught()).take(rows)
    changed = rebuilt.rows[(rebuilt.rows >= at) & (rebuilt.rows < at + WINDOW - 6)]
    wrong = rebuilt.rows[~rebuilt.exact]

    assert len(changed) > 5
    assert wrong.min() >= ONSET - BEFORE
    assert wrong.max() < at


@pytest.mark.parametrize(
    "name", ["factor", "sign", "order", "zero", "offset", "unit", "twice standardised"]
)
def test_a_change_is_over_when_it_is_undone(name: str) -> None:
    """The way back is no new fault."""
    there = CHANGES[name][0]
    ends = 0
    for seed in SEEDS:
        found, over = audited(log_of(lambda w, b: there(w, b) if b < 180 else w, seed, bars=260))
        assert len(found) <= 1
        ends += len(over)
        assert all(row >= 180 - BEFORE for row, _ in over)

    assert ends >= 9


@pytest.mark.parametrize("rows", [5, 10, 20])
def test_columns_that_stood_still_for_a_few_rows_move_again(rows: int) -> None:
    """However short it was and whichever windows are logged whole: over after 20 rows that move."""
    blank = CHANGES["zero"][0]
    opened = 0
    for seed in SEEDS:
        end = ONSET + rows
        log = log_of(lambda w, b: blank(w, b) if b < end else w, seed, bars=end + 60)  # noqa: B023
        found, over = audited(log)
        opened += len(found)
        assert len(found) == len(over) <= 1
        assert all(row <= end - BEFORE + 40 for row, _ in over)

    assert opened >= 4


@pytest.mark.parametrize("name", ["factor", "order", "offset"])
def test_a_change_of_a_few_rows_is_over_when_windows_hold_the_old_bars_again(name: str) -> None:
    """As they were sent then: in two, or in one that four rows follow. Three in four show that."""
    there = CHANGES[name][0]
    opened = ends = 0
    for seed in SEEDS:
        found, over = audited(log_of(lambda w, b: there(w, b) if b < 120 else w, seed))
        assert len(found) <= 1
        opened += len(found)
        ends += len(over)

    assert opened >= 6
    assert ends >= 0.75 * opened


def test_another_change_on_top_is_told() -> None:
    """A client that goes from x 1.5 to x 3 has not come back."""

    def sent(window: np.ndarray, bar: int) -> np.ndarray:
        return window * (3.0 if bar >= 180 else 1.5 if bar >= ONSET else 1.0)

    found, over = audited(log_of(sent, 2, bars=260))

    assert [fault.kind for _, fault in found] == ["change", "change"]
    assert "x 2" in found[1][1].cause
    assert over == []


def test_a_history_is_over_when_rows_agree_again() -> None:
    """Within 20 rows of its end."""
    found, over = audited(log_of(behind(lambda x: x * 0, until=180), 4, bars=260))

    assert len(found) == len(over) == 1
    assert 180 - BEFORE <= over[0][0] <= 180 - BEFORE + 22


def test_an_accepted_change_is_forgotten() -> None:
    """After `accept` nothing stands, and the same change again is told again."""
    history = History(*taught())
    rows = log_of(CHANGES["factor"][0], 3)
    found, _ = audited(rows, history)
    history.accept()
    found_later, over = audited(log_of(lambda w, _: w * 1.5, 3, bars=300), history)

    assert len(found) == 1
    assert found_later == []
    assert over == []


def market(symbols: int, wrong: range, sent: Sent, *, seed: int = 0) -> PredictionBatch:
    """Return the interleaved log of many symbols, some of them sent wrong."""
    return in_log_order(
        [
            log_of(sent if i in wrong else sound, 50 * seed + i, symbol=f"S{i:02}")
            for i in range(symbols)
        ]
    )


@pytest.mark.parametrize("name", ["blank", "reversed"])
def test_one_symbol_of_twenty_is_named(name: str) -> None:
    """And no other."""
    found, _ = audited(market(20, range(3, 4), HISTORIES[name][0]))

    assert [(fault.symbol, fault.kind) for _, fault in found] == [("S03", "history")]


def test_some_symbols_are_named_each() -> None:
    """Four of twenty are four faults, not one of the client."""
    found, _ = audited(market(20, range(3, 7), HISTORIES["blank"][0]))

    assert sorted(fault.symbol for _, fault in found) == ["S03", "S04", "S05", "S06"]


@pytest.mark.parametrize("kind", ["history", "change"])
def test_all_symbols_of_a_client_are_one_fault(kind: str) -> None:
    """Windows of different symbols confirm each other, within five bars; it is told once."""
    sent = HISTORIES["blank"][0] if kind == "history" else CHANGES["factor"][0]
    for seed in range(3):
        found, _ = audited(market(20, range(20), sent, seed=seed))
        row, fault = found[-1]
        assert fault.symbol == ""
        assert fault.kind == kind
        assert row < (ONSET - BEFORE + 5) * 20
        assert len(found) <= 2


def test_the_wrong_one_of_two_clients_is_named() -> None:
    """Where the log knows who asks."""
    rows = in_log_order(
        [
            Client.hourly(
                BARS, WIDTH, WINDOW, name=name, sent=HISTORIES["blank"][0] if bad else sound
            ).rows(range(BEFORE, BARS), seed=bad)
            for name, bad in (("north", 0), ("south", 1))
        ]
    )
    found, _ = audited(rows)

    assert [(fault.client, fault.symbol) for _, fault in found] == [("south", "EURUSD")]
    assert "of EURUSD from south" in found[0][1].cause


def test_stale_columns_are_stale() -> None:
    """Columns that stand still from a row on are not skewed but stale."""

    def sent(window: np.ndarray, bar: int) -> np.ndarray:
        if bar >= ONSET:
            window[:, :4] = [3.0, 1.0, 4.0, 1.5]
        return window

    found, _ = audited(log_of(sent, 1))

    assert [fault.verdict for _, fault in found] == [Verdict.STALE_FEATURES]
