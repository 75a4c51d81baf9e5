"""Features against values computed by hand, and their behaviour in odd markets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from plumbline.training.errors import DataError
from plumbline.training.features import (
    FEATURE_NAMES,
    FEATURES,
    View,
    build_features,
    lagged,
    rolling,
)
from tests.support.markets import walk


def feature(bars, name):
    return FEATURES[name](View(bars))


def test_there_are_enough_of_them_and_their_names_are_unique():
    """At least 24, as a mapping from name to function."""
    assert len(FEATURE_NAMES) >= 24


def test_rolling_shows_the_newest_values_oldest_first():
    """The first rows are filled with NaN."""
    rows = rolling(np.arange(4.0), 3)

    assert rows[2:].tolist() == [[0, 1, 2], [1, 2, 3]]
    assert np.isnan(rows[1]).tolist() == [True, False, False]
    assert lagged(np.arange(4.0), 2)[2:].tolist() == [0, 1]


def test_a_return_is_the_log_ratio_of_two_closes():
    """return_6 of row 10 looks at the closes of rows 10 and 4."""
    bars = walk(20)

    expected = np.log(bars.close[10] / bars.close[4])
    assert feature(bars, "return_6")[10] == pytest.approx(expected)


def test_volatility_is_the_log_of_the_root_mean_square_return():
    """It is absolute: twice the step is log 2 more."""
    bars = walk(20)
    steps = np.diff(np.log(bars.close))[10 - 6 : 10]

    assert feature(bars, "volatility_6")[10] == pytest.approx(
        np.log(np.sqrt((steps**2).mean()) + 1e-8)
    )


def test_a_quiet_market_is_recognisably_quiet():
    """Every feature of level is far lower than in a wild market, by the log of the ratio."""
    quiet, wild = (build_features(walk(400, step=step))[-1] for step in (0.0002, 0.002))
    levels = [i for i, name in enumerate(FEATURE_NAMES) if name.startswith(("volat", "range", "s"))]

    assert np.allclose((wild - quiet)[levels], np.log(10), atol=0.05)


def test_the_season_looks_at_the_hours_that_followed_a_day_ago():
    """Only the bars 18 to 23 rows back matter to season_1."""
    bars = walk(60)
    before = feature(bars, "season_1")[50]
    for back, matters in ((17, False), (18, True), (23, True), (24, False)):
        close = bars.close.copy()
        close[50 - back :] *= 1.05

        after = feature(replace(bars, close=close), "season_1")[50]
        assert (abs(after - before) > 1e-6) == matters


def test_the_price_level_does_not_matter():
    """The same market in another currency has the same features."""
    bars = walk(300)
    dear = replace(
        bars, **{name: getattr(bars, name) * 150 for name in ("open", "high", "low", "close")}
    )

    assert np.allclose(build_features(bars)[150:], build_features(dear)[150:], atol=1e-5)


def test_bounded_features_stay_in_their_bounds():
    """Positions, strengths and shapes lie between -1 and 1."""
    table = build_features(walk(500))[150:]
    for name in ("body", "wick", "rsi_14", "rsi_48", "position_24", "position_120"):
        column = table[:, FEATURE_NAMES.index(name)]

        assert np.abs(column).max() <= 1 + 1e-6


def test_a_standing_market_has_finite_features():
    """Bars without range, movement or volume divide nothing by zero."""
    bars = walk(300)
    one, zero = np.ones(300), np.zeros(300)
    still = replace(bars, open=one, high=one, low=one, close=one, volume=zero)

    assert np.isfinite(build_features(still)[150:]).all()


def test_a_feature_is_never_zero_or_repeated_by_construction():
    """A zero or repeated column must mean a broken client: cycles avoid both."""
    table = build_features(walk(500))[150:]
    cycles = [i for i, name in enumerate(FEATURE_NAMES) if name.endswith(("_sin", "_cos"))]

    assert (np.abs(table[:, cycles]) > 1e-3).all()
    assert (np.diff(table[:, cycles], axis=0) != 0).all()


def test_only_the_warm_up_is_nan():
    """Rows are whole or wholly NaN, and the NaN ones come first."""
    table = build_features(walk(300))
    finite = np.isfinite(table)

    assert (finite.all(axis=1) == finite.any(axis=1)).all()
    assert int(finite[:, 0].argmax()) == 120
    assert finite[120:].all()


def test_a_value_that_is_not_finite_names_its_features():
    """Unchecked bars are caught here at the latest."""
    bars = walk(300)
    volume = bars.volume.copy()
    volume[200] = np.nan

    with pytest.raises(
        DataError, match=r"WALK: \['volume_score_24', 'volume_trend_6_72'\].*bar 200"
    ):
        build_features(replace(bars, volume=volume))
