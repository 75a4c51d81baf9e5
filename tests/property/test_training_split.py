"""No row of one part can tell the outcome of another."""

from __future__ import annotations

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from plumbline.training.bars import MICROSECOND
from plumbline.training.split import PARTS, SplitParams, split_bars

HOUR = 3600 * MICROSECOND


@st.composite
def cases(draw):
    """Times with gaps, of one or two symbols; shares, distances and a horizon."""
    gaps = draw(st.lists(st.sampled_from([1, 1, 1, 1, 2, 49]), min_size=60, max_size=300))
    time = np.cumsum(np.array(gaps, dtype=np.int64)) * HOUR
    if draw(st.booleans()):
        time = np.concatenate([time, time[10:]])
    weights = np.array([draw(st.integers(1, 9)) for _ in PARTS], dtype=float)
    if draw(st.booleans()):
        weights[3] = 0
    shares = dict(zip(PARTS, (weights / weights.sum()).tolist(), strict=True))
    horizon = draw(st.integers(1, 24))
    purge = draw(st.one_of(st.none(), st.integers(horizon, 48)))
    params = SplitParams(
        **shares,
        purge_seconds=None if purge is None else purge * 3600,
        embargo_seconds=draw(st.integers(0, 24)) * 3600,
    )
    assume(len(np.unique(time)) >= 2 * len(PARTS))
    return time, params, horizon * HOUR


@settings(max_examples=150, deadline=None)
@given(cases())
def test_no_row_lies_inside_purge_or_embargo(case):
    """Between the last outcome of a part and the first row of the next lies the embargo."""
    time, params, horizon = case
    split = split_bars(time, params, horizon=horizon)

    for part, following in zip(split.parts, split.parts[1:], strict=False):
        rows = time[split.usable(part.name, time)]
        later = time[split.usable(following.name, time)]
        assert part.end == following.start
        assert (rows + horizon < following.start).all()
        assert (later >= following.start + split.embargo).all()


@settings(max_examples=100, deadline=None)
@given(cases())
def test_every_row_lies_in_exactly_one_part(case):
    """The parts cover the time without overlap; the usable rows of a part lie inside it."""
    time, params, horizon = case
    split = split_bars(time, params, horizon=horizon)
    inside = np.stack([split.inside(part.name, time) for part in split.parts])

    assert (inside.sum(axis=0) == 1).all()
    for part, rows in zip(split.parts, inside, strict=True):
        assert (split.usable(part.name, time) <= rows).all()


@settings(max_examples=100, deadline=None)
@given(cases())
def test_the_parts_are_in_the_order_of_time(case):
    """Nothing that is learnt from comes after what judges it."""
    time, params, horizon = case
    split = split_bars(time, params, horizon=horizon)
    newest = [
        int(time[split.inside(part.name, time)].max(initial=part.start)) for part in split.parts
    ]

    assert newest == sorted(newest)
    assert [part.name for part in split.parts] == list(PARTS[: len(split.parts)])


@settings(max_examples=60, deadline=None)
@given(cases())
def test_without_a_test_part_the_others_keep_their_proportions(case):
    """A retrain uses everything up to now, in the same proportions."""
    _, params, _ = case
    rescaled = params.without_test()

    assert rescaled.test == 0
    assert np.isclose(rescaled.train + rescaled.calibration + rescaled.validation, 1)
    assert np.isclose(rescaled.train / rescaled.validation, params.train / params.validation)
