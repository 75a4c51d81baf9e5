"""Defects are counted one by one; the harmful ones refuse the bars."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from plumbline.training.bars import COLUMNS, NO_TIME, Bars
from plumbline.training.data_check import INTOLERABLE, check_bars, refuse_defects
from plumbline.training.errors import DataError
from tests.support.markets import walk


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
    "unsorted": reordered([0, 1, 3, 2, *range(4, 100)]),
    "duplicates": reordered([0, 1, 2, 2, *range(3, 100)]),
}


def test_sound_bars_have_no_defects():
    """Every count but that of the bars is zero."""
    report = check_bars(walk(100))

    counts = report.model_dump(exclude={"symbol", "bars"})
    assert report.bars == 100
    assert set(counts.values()) == {0}
    refuse_defects([report], refuse_also=("gaps", "zero_volume"))


@pytest.mark.parametrize("defect", INTOLERABLE)
def test_a_harmful_defect_is_counted_and_refused(defect):
    """The message counts it and names the symbol."""
    report = check_bars(DEFECTS[defect])

    assert getattr(report, defect) == 1
    with pytest.raises(DataError, match=f"WALK: 1 {defect.replace('_', ' ')}"):
        refuse_defects([report])


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
