"""How long a day of a market is."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.training.data import read_bars, resolve
from plumbline.training.session import session_bars
from tests.support.markets import HOUR, walk


def test_euro_dollar_hours_have_days_of_24_bars():
    """Though the market is closed for two days of the week, and opens on Sunday evenings."""
    (bars,) = read_bars(resolve("eurusd-1h", symbol="EURUSD", time_format=None))

    assert session_bars([bars]) == 24


@pytest.mark.parametrize("hours", [1, 7, 23])
def test_a_market_that_is_open_for_some_hours_has_so_many_bars(hours):
    """Weekends and a half day of trading change nothing."""
    bars = walk(24 * 60)
    hour, day = bars.time // HOUR % 24, bars.time // (24 * HOUR)
    opened = (hour < hours) & (day % 7 < 5) & ~((day % 30 == 4) & (hour > hours // 2))

    assert session_bars([bars.take(opened)]) == hours


def test_a_symbol_that_trades_rarely_does_not_shorten_the_day():
    """A bar that any symbol has is a bar of the day."""
    bars = walk(24 * 30)
    rare = bars.take(np.random.default_rng(0).random(len(bars)) < 0.5)

    assert session_bars([rare]) < 15
    assert session_bars([rare, bars]) == 24
