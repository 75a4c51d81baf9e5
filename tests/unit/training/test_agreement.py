"""What is refused: feature sets whose windows do not give what the whole history gave."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.bundle.record import Record
from plumbline.training.agreement import check_agreement, measure_agreement
from plumbline.training.errors import FeatureError
from plumbline.training.feature_promises import check_feature_set
from plumbline.training.feature_table import build_table
from tests.support import feature_sets as strangers
from tests.support.markets import walk

BARS = walk(300)


def agreement(kind, **options):
    feature_set = kind(Record())
    return check_agreement(feature_set, BARS, build_table(feature_set, BARS), 16, **options)


def test_a_sound_stranger_agrees_on_every_window():
    """All 277 windows of 16 rows and 8 bars before them."""
    found = agreement(strangers.Momentum)

    assert found.windows == 300 - 24 + 1
    assert found.worst[1] < 1e-6


@pytest.mark.parametrize(
    ("kind", "column"),
    [
        (strangers.LooksAhead, "return_8"),
        (strangers.NeverForgets, "return_8"),
        (strangers.Standardised, "return_"),
        (strangers.RemembersMore, "return_8"),
    ],
)
def test_what_depends_on_other_bars_than_it_says_is_refused(kind, column):
    """Later ones, all earlier ones, or however many are there; the column is named."""
    with pytest.raises(FeatureError, match=rf"WALK: '{column}\w*' is .* bars of its window"):
        agreement(kind)
    assert agreement_of_the_rest(kind) < 1e-4 or kind is strangers.Standardised


def agreement_of_the_rest(kind):
    feature_set = kind(Record())
    found = measure_agreement(feature_set, BARS, build_table(feature_set, BARS), 16)
    return found.columns["return_1"]


def test_a_column_that_is_no_number_in_a_window_is_refused():
    """A difference that is NaN is no agreement."""
    feature_set = strangers.Momentum(Record())
    table = build_table(feature_set, BARS)
    table[100, 0] = np.nan

    found = measure_agreement(feature_set, BARS, table, 16)
    assert found.columns["return_1"] == np.inf


def test_few_windows_are_enough_for_a_long_history():
    """The budget bounds the work; the first and the last window are among them."""
    assert agreement(strangers.Momentum, budget=24 * 5).windows == 5
    with pytest.raises(FeatureError):
        agreement(strangers.LooksAhead, budget=1)


def test_too_few_bars_for_a_window_prove_nothing():
    """And are refused elsewhere, by those who need rows."""
    feature_set = strangers.Momentum(Record())
    short = BARS.take(slice(20))

    assert measure_agreement(feature_set, short, build_table(feature_set, short), 16).windows == 0


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (strangers.LooksAhead, "'return_8' .*when later bars are others: it looks ahead"),
        (strangers.SeesItsNeighbours, "in a batch than alone: rows see each other"),
        (strangers.OneColumnShort, r"float32 \(1, 292, 2\) .* expected float32 \(1, 292, 3\)"),
        (strangers.Double, r"gave float64 .*expected float32"),
        (
            strangers.Fails,
            r"Fails cannot be computed of bars \(.* 6\), with its memory of 8: .*line",
        ),
        (strangers.SameNameTwice, "names must be unique"),
        (strangers.NeverForgets, "further back than the 8"),
    ],
)
def test_every_promise_is_checked(kind, reason):
    """The suite a stranger runs says which one is broken."""
    check_feature_set(strangers.Momentum(Record()), BARS, window_length=16)
    with pytest.raises(FeatureError, match=reason):
        check_feature_set(kind(Record()), BARS, window_length=16)


def test_a_check_needs_bars():
    """The message says how many."""
    with pytest.raises(FeatureError, match="30 bars are too few for a check, give 50 or more"):
        check_feature_set(strangers.Momentum(Record()), BARS.take(slice(30)))
