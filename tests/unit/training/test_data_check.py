"""Defects are counted one by one; the harmful ones refuse the bars."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from plumbline.training.bars import COLUMNS, NO_TIME, PRICES, Bars
from plumbline.training.data_check import (
    INTOLERABLE,
    check_bars,
    refuse_defects,
    refuse_idle_volume,
)
from plumbline.training.errors import DataError
from plumbline.training.feature_table import build_table, resolve_feature_set
from tests.support.markets import walk

INTRADAY = resolve_feature_set("intraday_31", {}, [walk(200)])
SPLIT = np.where(np.arange(100) < 50, 1.0, 20.0)


def changed(name: str, row: int, value: float) -> Bars:
    bars = walk(100)
    column = getattr(bars, name).copy()
    column[row] = value
    return replace(bars, **{name: column})


def reordered(rows) -> Bars:
    return walk(100).take(np.array(rows))


DEFECTS = {
    "nulls": changed("volume", 5, np.nan),
    "non_positive": changed("low", 5, -1.0),
    "contradictions": changed("high", 5, 0.5),
    "spikes": changed("high", 5, 1.1e9),
    "volume_spikes": changed("volume", 5, 1e9),
    "unsorted": reordered([0, 1, 3, 2, *range(4, 100)]),
    "duplicates": reordered([0, 1, 2, 2, *range(3, 100)]),
}


def test_sound_bars_have_no_defects():
    """Every count but that of the bars is zero."""
    report = check_bars(walk(100))

    counts = report.model_dump(exclude={"symbol", "bars", "first"})
    assert report.bars == 100
    assert set(counts.values()) == {0}
    refuse_defects([report], refuse_also=("gaps", "zero_volume"))


PLACES = {
    "nulls": r"bar 6 \(2020-01-01 05:00\): volume is missing",
    "non_positive": r"bar 6 \(2020-01-01 05:00\): low is -1, expected a price above 0",
    "contradictions": r"bar 6 \(2020-01-01 05:00\): high is 0.5, below open or close, 1\.",
    "spikes": r"bar 6 \(2020-01-01 05:00\): high is 1.1e\+09 after a price of 1\.",
    "volume_spikes": r"bar 6 \(2020-01-01 05:00\): volume is 1e\+09, expected less than 50 times",
    "unsorted": r"bar 4 \(2020-01-01 02:00\): time is before that of bar 3 \(2020-01-01 03:00\)",
    "duplicates": r"bar 4 \(2020-01-01 02:00\): time is that of bar 3 \(2020-01-01 02:00\)",
}


@pytest.mark.parametrize("defect", INTOLERABLE)
def test_a_harmful_defect_is_counted_and_refused(defect):
    """The message counts it and names the symbol."""
    report = check_bars(DEFECTS[defect])

    assert getattr(report, defect) == 1
    said = f"WALK: 1 {defect.replace('_', ' ')}, the first in {PLACES[defect]}"
    with pytest.raises(DataError, match=said):
        refuse_defects([report])


def test_a_defect_is_placed_by_its_row_in_the_file():
    """Where bars come from a file, its row counts, not the bar."""
    bars = replace(DEFECTS["nulls"], file_row=np.arange(100) + 2)

    assert check_bars(bars.take(slice(3, None))).first["nulls"].startswith("row 7 (2020-01-01 05")


@pytest.mark.parametrize(
    ("name", "factor"),
    [("open", 1e9), ("close", 1e9), ("high", 1e9), ("open", 1e-9), ("close", 1e-9), ("low", 1e-9)],
)
def test_a_price_may_not_leap(name, factor):
    """A billion times the price is no price, wherever it stands."""
    report = check_bars(changed(name, 5, float(getattr(walk(100), name)[5] * factor)))

    assert 1 <= report.spikes <= 2
    assert f"{name} is" in report.first["spikes"]


def test_a_leap_may_be_allowed():
    """A split that was not adjusted is one spike; a larger `largest_step` lets it pass."""
    split = replace(walk(100), **{name: getattr(walk(100), name) * SPLIT for name in PRICES})

    assert check_bars(split).spikes == 1
    assert check_bars(split, largest_step=25.0).spikes == 0


def test_volume_that_never_changes_is_refused_if_a_feature_reads_it():
    """The features that read it are named; those that do not may be computed from such bars."""
    silent = replace(walk(200), volume=np.zeros(200))
    features = INTRADAY.names

    with pytest.raises(
        DataError, match=r"volume is 0 in all 200 bars.*volume_score_24, volume_trend"
    ):
        refuse_idle_volume([walk(200), silent], features, partial(build_table, INTRADAY))
    refuse_idle_volume([silent], ("close",), lambda bars: bars.close[:, None])


def test_a_missing_time_is_a_null():
    """A row whose time is unknown is counted as such."""
    bars = walk(100)
    time = bars.time.copy()
    time[7] = NO_TIME

    assert check_bars(replace(bars, time=time)).nulls == 1


def test_gaps_and_silent_bars_are_counted_and_refused_only_if_asked():
    """Two gaps of three bars in all; one bar without volume."""
    bars = walk(100).take(np.array([*range(10), *range(11, 50), *range(52, 100)]))
    volume = bars.volume.copy()
    volume[3] = 0
    report = check_bars(replace(bars, volume=volume))

    assert (report.gaps, report.missing, report.zero_volume) == (2, 3, 1)
    refuse_defects([report])
    with pytest.raises(DataError, match="2 gaps; WALK: 1 zero volume"):
        refuse_defects([report], refuse_also=("gaps", "zero_volume"))


def test_checking_changes_nothing():
    """Nothing is repaired, not even in passing."""
    bars = DEFECTS["nulls"]
    before = {name: getattr(bars, name).copy() for name in COLUMNS}
    check_bars(bars)

    for name in COLUMNS:
        assert np.array_equal(before[name], getattr(bars, name), equal_nan=True)
