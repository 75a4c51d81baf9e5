"""Steps of many symbols lie in the order of their bars, whatever the order of the log."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.monitoring.watching.audit.rings import AT_ONCE, Rings

STEPS, WIDTH = 5, 2


def put(rings: Rings, names: list[str], bars: list[int]) -> list[tuple[int, int, bool]]:
    """Add rows whose values tell their bar; return slot, place and whether it is its own."""
    found: list[tuple[int, int, bool]] = []
    while len(found) < len(bars):
        some = slice(len(found), len(found) + AT_ONCE)
        bar = np.array(bars[some], np.int64)
        values = np.repeat(bar[:, None], WIDTH, axis=1).astype(np.float32)
        placed = rings.add(rings.slots(names[some]), bar, values)
        found += zip(placed.slot.tolist(), placed.place.tolist(), placed.own.tolist(), strict=True)
    return found


def held(rings: Rings, name: str) -> list[int]:
    """Return the bars of a symbol."""
    (slot,) = rings.slots([name])
    return rings.bars[slot, : rings.count[slot]].tolist()


@pytest.mark.parametrize("seed", range(5))
def test_bars_are_in_order_whatever_the_log(seed: int) -> None:
    """Shuffled nearby rows of several symbols end as a sorted list of each symbol's bars."""
    rng = np.random.default_rng(seed)
    rings = Rings(STEPS, WIDTH)
    names, bars = [], []
    for bar in np.argsort(np.arange(300) + rng.normal(0, 1.5, 300)).tolist():
        for name in "ABC":
            names.append(name)
            bars.append(int(bar))
    put(rings, names, bars)

    for name in "ABC":
        kept = held(rings, name)
        assert kept == list(range(300 - len(kept), 300))
        assert len(kept) >= STEPS


@pytest.mark.parametrize("seed", range(3))
def test_places_do_not_depend_on_cuts(seed: int) -> None:
    """Rows put away one by one lie where they lie when put away together."""
    rng = np.random.default_rng(seed)
    bars = np.argsort(np.arange(200) + rng.normal(0, 1, 200)).tolist()
    names = [str(name) for name in rng.choice(["A", "B"], 200)]
    together, apart = Rings(STEPS, WIDTH), Rings(STEPS, WIDTH)
    put(together, names, bars)
    for name, bar in zip(names, bars, strict=True):
        put(apart, [name], [bar])

    for name in ("A", "B"):
        newest = held(together, name)[-STEPS:]
        assert newest == held(apart, name)[-STEPS:]


def test_a_bar_sent_twice_lies_once() -> None:
    """A repeated bar finds its place; with other numbers it is not its own."""
    rings = Rings(STEPS, WIDTH)
    put(rings, ["A"] * 4, [1, 2, 3, 4])
    slots = rings.slots(["A", "A"])
    same, other = np.full(WIDTH, 3.0, np.float32), np.full(WIDTH, 9.0, np.float32)
    placed = rings.add(slots, np.array([3, 3]), np.stack([same, other]))

    assert placed.place.tolist() == [2, 2]
    assert placed.own.tolist() == [True, False]
    assert held(rings, "A") == [1, 2, 3, 4]


def test_a_row_without_a_bar_comes_after_the_row_before_it() -> None:
    """Rows that do not say their bar lie in the order of the log."""
    rings = Rings(STEPS, WIDTH)
    put(rings, ["A"] * 3, [-1, -1, -1])
    put(rings, ["B"] * 4, [10, -1, 20, -1])

    assert held(rings, "A") == [0, 1, 2]
    assert held(rings, "B") == [10, 11, 20, 21]


def test_the_first_between_others_ends_what_is_taken() -> None:
    """A row that goes between others is put away alone, so that none before it sees it."""
    rings = Rings(STEPS, WIDTH)
    slots = rings.slots(["A"] * 4)
    bars = np.array([1, 2, 4, 3])
    values = np.repeat(bars[:, None], WIDTH, axis=1).astype(np.float32)
    placed = rings.add(slots, bars, values)
    rest = rings.add(slots[3:], bars[3:], values[3:])

    assert placed.place.tolist() == [0, 1, 2]
    assert rest.place.tolist() == [2]
    assert held(rings, "A") == [1, 2, 3, 4]


def test_a_flood_of_symbols_is_bounded_and_the_silent_go_first() -> None:
    """Twenty thousand made-up names leave no more than the most that are remembered."""
    rings = Rings(STEPS, WIDTH, most=256)
    for start in range(0, 20_000, AT_ONCE):
        names = [f"made-up-{i}" for i in range(start, start + AT_ONCE - 1)]
        put(rings, ["EURUSD", *names], [start + 1] * AT_ONCE)

    assert len(rings) == 256
    assert len(held(rings, "EURUSD")) > STEPS
    assert len(rings.values) == 256


def test_a_bar_older_than_all_remembered_has_no_place() -> None:
    """It is counted and otherwise left out."""
    rings = Rings(STEPS, WIDTH)
    put(rings, ["A"] * 200, list(range(1_000, 1_200)))

    assert put(rings, ["A"], [3]) == [(0, -1, False)]
