"""How far back figures look: as docs/alerts.md has it, whenever a market is open."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.bundle.figure_window import WINDOWS, fitting_seconds, usual_rows

DAY = 86_400
OPENS, CLOSES = 14 * 3600, 20 * 3600


def moments(interval: int, market: str, *, symbols: int = 1, days: int = 400) -> np.ndarray:
    """Return the times of bars, ascending, in microseconds; day 4 is a Monday."""
    times = np.arange(4 * DAY, (4 + days) * DAY, interval, dtype=np.int64)
    open_ = np.ones(len(times), bool) if market == "never closed" else (times // DAY + 3) % 7 < 5
    if market == "a session" and interval < DAY:
        first = OPENS // interval * interval
        open_ &= (times % DAY >= first) & (times % DAY < CLOSES)
    return np.repeat(times[open_] * 1_000_000, symbols)


@pytest.mark.parametrize(
    ("interval", "never_closed", "weekdays", "session"),
    [
        (60, "1h", "1h", "1h"),
        (300, "6h", "6h", "1d"),
        (900, "1d", "1d", "7d"),
        (3_600, "7d", "7d", "30d"),
        (14_400, "30d", "30d", "90d"),
        (DAY, "90d", "90d", "90d"),
    ],
)
def test_sixty_bars_come_in_the_window(interval, never_closed, weekdays, session):
    """The shortest that holds them in this market; symbols are no bars."""
    markets = {"never closed": never_closed, "weekdays": weekdays, "a session": session}
    days = 30 if interval < 3_600 else 400
    for market, window in markets.items():
        for symbols in (1, 3):
            times = moments(interval, market, symbols=symbols, days=days)
            assert fitting_seconds(times, interval) == WINDOWS[window], (market, symbols)


def test_what_the_reference_is_too_short_for_is_supposed():
    """Three days of hours: a week holds 168 of them."""
    times = moments(3_600, "never closed", days=3)

    assert fitting_seconds(times, 3_600) == WINDOWS["7d"]
    assert usual_rows(times, WINDOWS["7d"], 3_600) is None


@pytest.mark.parametrize(
    ("market", "symbols", "rows"),
    [("never closed", 1, 168), ("weekdays", 1, 120), ("weekdays", 3, 360)],
)
def test_rows_are_counted_as_they_come(market, symbols, rows):
    """Of all symbols, weekends left out."""
    times = moments(3_600, market, symbols=symbols, days=60)

    assert usual_rows(times, WINDOWS["7d"], 3_600) == rows
