"""The columns of `intraday_31`: by definition, by hand, and in odd markets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from plumbline.training.feature_promises import check_feature_set
from plumbline.training.feature_sets.intraday_31 import NAMES, Intraday31, Intraday31Params
from plumbline.training.feature_table import build_table, resolve_feature_set
from tests.support.intraday import by_definition
from tests.support.markets import HOUR, walk


def table(bars, **parameters):
    return build_table(resolve_feature_set("intraday_31", parameters, [bars]), bars)


def column(bars, name, **parameters):
    return table(bars, **parameters)[:, NAMES.index(name)]


@pytest.mark.parametrize("session", [24, 7, 60])
def test_every_column_is_what_its_definition_says(session):
    """Computed from the raw values of each row's own past; sessions of any length."""
    bars = walk(900)
    expected = by_definition(bars, session)
    found = table(bars, session_bars=session)
    first = max(120, 5 * session)

    assert tuple(expected) == NAMES
    assert np.isnan(found[:first]).all()
    for place, name in enumerate(NAMES):
        values = expected[name][first:]
        apart = np.abs(found[first:, place] - values).max() / values.std()
        assert apart < 2e-5, name


def test_a_return_is_the_log_ratio_of_two_closes():
    """return_6 of row 130 looks at the closes of rows 130 and 124."""
    bars = walk(140)

    expected = np.log(bars.close[130] / bars.close[124])
    assert column(bars, "return_6")[130] == pytest.approx(expected, rel=1e-5)


def test_volatility_is_the_log_of_the_root_mean_square_return():
    """It is absolute: twice the step is log 2 more."""
    bars = walk(140)
    steps = np.diff(np.log(bars.close))[130 - 6 : 130]

    expected = np.log(np.sqrt((steps**2).mean()))
    assert column(bars, "volatility_6")[130] == pytest.approx(expected)


def test_a_quiet_market_is_recognisably_quiet():
    """Every column of level is far lower than in a wild market, by the log of the ratio."""
    quiet, wild = (table(walk(400, step=step))[-1] for step in (0.0002, 0.002))
    levels = [i for i, name in enumerate(NAMES) if name.startswith(("volat", "range", "s"))]

    assert np.allclose((wild - quiet)[levels], np.log(10), atol=0.05)


@pytest.mark.parametrize(("session", "until", "since"), [(24, 18, 23), (7, 1, 6)])
def test_the_season_looks_at_the_hours_that_followed_a_session_ago(session, until, since):
    """Of a day of 24 bars, only those 18 to 23 rows back matter to season_1."""
    bars = walk(160)
    before = column(bars, "season_1", session_bars=session)[150]
    inside = {until, since}
    for back in (until - 1, until, since, since + 1):
        close = bars.close.copy()
        close[150 - back :] *= 1.05

        after = column(replace(bars, close=close), "season_1", session_bars=session)[150]
        assert (abs(after - before) > 1e-6) == (back in inside)


def test_the_price_level_does_not_matter():
    """The same market in another currency has the same columns."""
    bars = walk(300)
    dear = replace(
        bars, **{name: getattr(bars, name) * 150 for name in ("open", "high", "low", "close")}
    )

    assert np.allclose(table(bars)[120:], table(dear)[120:], atol=1e-5)


def test_bounded_columns_stay_in_their_bounds():
    """Positions, strengths and shapes lie between -1 and 1."""
    found = table(walk(500))[120:]
    for name in ("body", "wick", "rsi_14", "rsi_48", "position_24", "position_120"):
        assert np.abs(found[:, NAMES.index(name)]).max() <= 1 + 1e-6


def test_a_standing_market_has_finite_columns():
    """Bars without range, movement or volume divide nothing by zero, and give exact zeros."""
    bars = walk(300)
    one, zero = np.full(300, 1.2345), np.zeros(300)
    still = replace(bars, open=one, high=one, low=one, close=one, volume=zero)
    found = table(still)[120:]

    assert np.isfinite(found).all()
    for name in ("return_72", "body", "wick", "rsi_14", "macd_12_26", "position_120"):
        assert not found[:, NAMES.index(name)].any()
    assert not found[:, NAMES.index("volume_score_24")].any()


def test_a_market_that_stands_still_for_a_while_forgets_that_it_moved():
    """Sums are not differences of running totals: after 24 equal bars, exactly nothing is left."""
    bars = walk(600, step=0.02)
    prices = {name: getattr(bars, name).copy() for name in ("open", "high", "low", "close")}
    for values in prices.values():
        values[300:340] = prices["close"][299]
    still = replace(bars, **prices)

    assert column(still, "volatility_24")[339] == pytest.approx(np.log(1e-8))
    assert column(still, "rsi_14")[339] == 0


def test_a_column_is_never_zero_or_repeated_by_construction():
    """A zero or repeated column must mean a broken client: cycles avoid both."""
    found = table(walk(500))[120:]
    cycles = [i for i, name in enumerate(NAMES) if name.endswith(("_sin", "_cos"))]

    assert (np.abs(found[:, cycles]) > 1e-3).all()
    assert (np.diff(found[:, cycles], axis=0) != 0).all()


def test_a_window_of_32_needs_152_bars():
    """120 before its first row; of a market with sessions of 391 bars, five sessions."""
    hours = Intraday31(Intraday31Params(session_bars=24, bar_seconds=3600))
    minutes = Intraday31(Intraday31Params(session_bars=391, bar_seconds=60))

    assert hours.bars_needed(32) == 152
    assert minutes.bars_needed(32) == 5 * 391 + 32


def test_long_sessions_keep_every_promise():
    """The seasons then reach further back than anything else."""
    bars = walk(420)
    found = resolve_feature_set("intraday_31", {"session_bars": 60}, [bars])
    check_feature_set(found, bars, window_length=16)

    assert found.memory == 300


def test_the_market_is_read_off_the_bars_and_recorded():
    """Session and length of a bar, unless they are given."""
    bars = walk(2000)
    shares = bars.take((bars.time // HOUR) % 24 < 7)
    found = Intraday31.resolved(Intraday31Params(), [shares])
    given = Intraday31.resolved(Intraday31Params(session_bars=5), [shares])

    assert found == Intraday31Params(session_bars=7, bar_seconds=3600)
    assert given.session_bars == 5
    with pytest.raises(ValueError, match="use `resolved` first"):
        Intraday31(Intraday31Params())
