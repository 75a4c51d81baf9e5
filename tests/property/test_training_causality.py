"""What a model is shown of a bar never depends on a later one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline.training.bars import COLUMNS, MICROSECOND
from plumbline.training.feature_sets import FEATURE_SETS
from plumbline.training.feature_table import build_table, resolve_feature_set
from plumbline.training.labels.forward_return import ForwardReturn, ForwardReturnParams
from tests.support.markets import walk

ROWS = 320
PARAMETERS = {"intraday_31": {"session_bars": 24}, "multi_scale": {}}
SETS = st.sampled_from(sorted(FEATURE_SETS))


def table(kind, bars):
    """Compute every column, and say how far back a row looks."""
    feature_set = resolve_feature_set(kind, PARAMETERS[kind], [bars])
    return build_table(feature_set, bars), feature_set.memory


@settings(max_examples=40, deadline=None)
@given(
    kind=SETS,
    now=st.integers(170, ROWS - 2),
    seed=st.integers(0, 1000),
    factor=st.sampled_from([0.01, 0.5, 3.0, 1e4]),
)
def test_changing_the_future_changes_nothing(kind, now, seed, factor):
    """Whatever comes after a bar, its features and those before are the same, bit for bit."""
    bars, other = walk(ROWS, seed=seed), walk(ROWS, seed=seed + 1, step=0.02)
    future = {
        name: np.concatenate(
            [getattr(bars, name)[: now + 1], factor * getattr(other, name)[now + 1 :]]
        )
        for name in COLUMNS
    }

    before = table(kind, bars)[0][: now + 1]
    after = table(kind, replace(bars, **future))[0][: now + 1]
    assert np.array_equal(before, after, equal_nan=True)


@settings(max_examples=20, deadline=None)
@given(kind=SETS, now=st.integers(170, ROWS - 2), seed=st.integers(0, 1000))
def test_a_future_that_does_not_exist_changes_nothing(kind, now, seed):
    """The features of a bar are the same when it is the newest there is."""
    bars = walk(ROWS, seed=seed)

    whole = table(kind, bars)[0][: now + 1]
    alone = table(kind, bars.take(slice(now + 1)))[0]
    assert np.allclose(alone, whole, atol=1e-5, equal_nan=True)


@settings(max_examples=20, deadline=None)
@given(kind=SETS, first=st.integers(0, ROWS - 170), seed=st.integers(0, 1000))
def test_features_remember_a_bounded_past(kind, first, seed):
    """A client that has the memory and one bar more computes what the training computed."""
    bars = walk(ROWS, seed=seed)
    whole, memory = table(kind, bars)

    fresh = table(kind, bars.take(slice(first, None)))[0][memory:]
    assert np.allclose(fresh, whole[first + memory :], atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(
    hours=st.integers(1, 30),
    seed=st.integers(0, 1000),
    missing=st.sets(st.integers(1, ROWS - 2), max_size=40),
)
def test_a_label_is_the_return_at_its_horizon_or_masked(hours, seed, missing):
    """The horizon is counted in time: a missing bar masks the row that needs it."""
    whole = walk(ROWS, seed=seed)
    bars = whole.take(np.array([row for row in range(ROWS) if row not in missing]))
    label = ForwardReturn(ForwardReturnParams(horizon_seconds=3600 * hours, threshold=0.001))
    truth = label.build(bars)
    known = {int(time): float(price) for time, price in zip(bars.time, bars.close, strict=True)}

    for row in range(len(bars)):
        later = known.get(int(bars.time[row]) + 3600 * MICROSECOND * hours)
        if later is None:
            assert np.isnan(truth.values[row]).all()
            assert np.isnan(truth.forward_return[row])
            assert truth.known_at[row] == bars.time[row]
        else:
            change = later / bars.close[row] - 1
            expected = 2 if change > 0.001 else 0 if change < -0.001 else 1
            assert truth.values[row] == [expected]
            assert truth.forward_return[row] == change
            assert truth.known_at[row] == bars.time[row] + 3600 * MICROSECOND * hours
