"""The evidence of many symbols at once is that of one row after the other, however it is cut."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from plumbline.diagnosis.e_process import EProcess
from plumbline.diagnosis.null import LEVELS
from plumbline.diagnosis.roster import Roster
from tests.support.stepwise import Stepwise

SIZES = (3, 1, 2)
LEVEL = (40.0, 300.0, 1e5)


@st.composite
def streams(draw: st.DrawFn) -> tuple[np.ndarray, list[str], np.ndarray, list[int], set[int]]:
    """Draw bounds, the symbols and events of some rows, where to cut, and where to reset."""
    seed = draw(st.integers(0, 2**32 - 1))
    rows, symbols = draw(st.integers(1, 260)), draw(st.integers(1, 12))
    rng = np.random.default_rng(seed)
    bounds = rng.uniform(0.02, draw(st.sampled_from([0.3, 1.3])), (sum(SIZES), 2, LEVELS)).clip(
        max=1.0
    )
    stay = rng.uniform(0.2, 0.98, sum(SIZES))
    events = np.zeros((rows, sum(SIZES)), np.int8)
    for i in range(rows):
        again = rng.random(sum(SIZES)) < stay
        events[i] = np.where(again, events[i - 1], rng.random(sum(SIZES)) < 0.4)
    events[rng.random(events.shape) < 0.1] = -1
    who = [f"s{each}" for each in (rng.random(rows) ** 2 * symbols).astype(int)]
    cuts = draw(st.lists(st.integers(0, rows), max_size=8))
    resets = draw(st.sets(st.integers(0, rows), max_size=2))
    return bounds, who, events, sorted({*cuts, *resets, rows} - {0}), resets


@given(streams())
@settings(max_examples=60, deadline=None)
def test_it_is_that_of_the_recursion_however_rows_are_cut(
    drawn: tuple[np.ndarray, list[str], np.ndarray, list[int], set[int]],
) -> None:
    """Alarms at the same rows, of the same symbols, with the same evidence and onset."""
    bounds, who, events, cuts, resets = drawn
    plain = Stepwise(bounds, SIZES, LEVEL)
    fast = EProcess(bounds, sizes=SIZES, levels=np.array(LEVEL))
    roster = Roster()
    start = 0
    for stop in cuts:
        rows = slice(start, stop)
        path = fast.ahead(*roster.seat(who[rows]), who[rows], events[rows])
        for i in range(start, stop):
            found = fast.first_alarm(path, i - start, i - start + 1)
            new = plain.step(who[i], events[i].tolist())
            assert (found is not None) == bool(new)
            if new:
                fast.take(path, i - start + 1)
                assert fast.alarmed.tolist() == plain.alarmed
        fast.take(path, stop - start)
        for d in range(len(SIZES)):
            assert fast.value(d) == pytest.approx(plain.value(d), rel=1e-9)
            assert fast.symbols(d) == tuple(sorted(plain.accused[d]))
            assert fast.onset(d) == onset(plain, d)
        assert fast.n == sum(each.n for each in plain.symbols.values())
        if stop in resets:
            plain.reset()
            fast.reset()
        start = stop


def onset(plain: Stepwise, d: int) -> int:
    """Return the onset of a mixture: of the accused symbols, of all, or of the strongest."""
    since = {name: each.n - each.quiet_at[d] for name, each in plain.symbols.items()}
    if plain.accused[d]:
        return sum(since[name] for name in plain.accused[d])
    if plain.alarmed[d]:
        return sum(since.values())
    return since[max(plain.symbols, key=lambda name: plain.symbols[name].values[d])]
