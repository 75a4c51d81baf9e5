"""Reach: how long a column shows a bar."""

from __future__ import annotations

import numpy as np

from plumbline.training.feature_table import resolve_feature_set
from plumbline.training.reach import measure_reach
from tests.support.markets import walk


def test_columns_show_a_bar_as_long_as_their_names_say() -> None:
    """A return of 24 bars shows it 25 times, the clock in its own row alone."""
    feature_set = resolve_feature_set("intraday_31", {}, [walk(400)])
    reach = measure_reach(feature_set, np.full(len(feature_set.names), 0.01))
    found = dict(zip(feature_set.names, reach.tolist(), strict=True))

    assert found["return_1"] == 2
    assert found["return_24"] == 25
    assert found["position_120"] == 120
    assert found["hour_sin"] == 1
    assert reach.max() <= feature_set.memory + 1
