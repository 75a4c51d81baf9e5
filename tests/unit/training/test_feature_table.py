"""The whole history, piece by piece, and what is refused of it."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from plumbline.bundle.record import Record
from plumbline.training.config import Experiment, read_experiment
from plumbline.training.errors import ConfigError, DataError, FeatureError
from plumbline.training.feature_table import (
    PIECE,
    bar_array,
    build_table,
    refuse_standing,
    resolve_feature_set,
)
from tests.support.feature_sets import Momentum
from tests.support.markets import walk


def test_pieces_join_without_a_seam():
    """A history of several pieces is what one piece would be."""
    bars = walk(2 * PIECE + 50)
    found = build_table(Momentum(Record()), bars)
    close = np.log(bars.close)

    assert found.dtype == np.float32
    assert np.isnan(found[:8]).all()
    assert np.allclose(found[8:, 1], close[8:] - close[:-8], atol=1e-6)
    assert np.allclose(found[8:, 0], close[8:] - close[7:-1], atol=1e-6)


def test_the_time_is_in_seconds():
    """As the exported graph takes it."""
    bars = walk(3)

    assert bar_array(bars)[:, 0].tolist() == (bars.time / 1e6).tolist()
    assert bar_array(bars).dtype == np.float64


def test_memory_is_bounded():
    """Beside the table itself there are never more arrays than those of a few pieces."""
    bars = walk(60_000)
    feature_set = resolve_feature_set("multi_scale", {}, [bars])
    tracemalloc.start()
    found = build_table(feature_set, bars)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 1.5 * found.nbytes


def test_fewer_bars_than_the_memory_give_no_row():
    """All of them are warm-up."""
    assert np.isnan(build_table(Momentum(Record()), walk(5))).all()


def test_a_value_that_is_not_finite_names_its_columns():
    """Unchecked bars are caught here at the latest."""
    bars = walk(300)
    close = bars.close.copy()
    close[200] = np.nan

    with pytest.raises(
        DataError, match=r"WALK: \['return_1', 'return_8'\] are not finite from bar 200 on"
    ):
        build_table(Momentum(Record()), replace(bars, close=close))


def test_columns_that_stand_still_are_refused():
    """Bars without volume, or daily bars for columns of the hour: the message names them."""
    bars = walk(400)
    silent = replace(bars, volume=np.zeros(400))
    found = resolve_feature_set("multi_scale", {}, [silent])
    without = resolve_feature_set("multi_scale", {"volume": False}, [silent])

    with pytest.raises(FeatureError, match=r"\['volume_5', .*'volume_160'\] have the same value"):
        refuse_standing(found.names, build_table(found, silent))
    assert len(without.names) == len(found.names) - 6
    refuse_standing(without.names, build_table(without, silent))


def test_daily_bars_have_no_hour():
    """The columns follow from the bars."""
    bars = walk(400)
    daily = replace(bars, time=bars.time[0] + 24 * (bars.time - bars.time[0]))
    found = resolve_feature_set("multi_scale", {"widths": [3, 6, 12]}, [daily])

    assert [name for name in found.names if name.startswith(("hour", "week"))] == [
        "week_sin",
        "week_cos",
    ]
    assert found.memory == 12


@pytest.mark.parametrize(
    ("choice", "reason"),
    [
        ({"kind": "hourly"}, r"features.kind is 'hourly', expected one of \['intraday_31', 'multi"),
        ({"kind": "intraday_31", "parameters": {"session": 24}}, "session"),
        (
            {"kind": "multi_scale", "parameters": {"widths": [5, 12]}},
            r"each divide the next, got \(5, 12\)",
        ),
    ],
)
def test_a_choice_that_cannot_be_is_refused(choice, reason):
    """Unknown sets and parameters, and widths that are not nested."""
    with pytest.raises(ConfigError, match=reason):
        read_experiment("eurusd-1h").changed(features=choice)


def test_an_experiment_without_a_choice_has_the_default():
    """Written down with its parameters, which the bars will fill in."""
    experiment: Experiment = read_experiment("eurusd-1h")

    assert experiment.features.kind == "intraday_31"
    assert experiment.features.parameters == {"session_bars": None, "bar_seconds": None}
