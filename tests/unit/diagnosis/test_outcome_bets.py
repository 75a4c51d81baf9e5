"""Bets on bounded scores and the bounds of their means: what they promise, and what they see."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.bundle.moment import SECOND
from plumbline.diagnosis.outcomes.bet import Inquiry, Null
from plumbline.diagnosis.outcomes.bound import Bounds
from plumbline.diagnosis.outcomes.clock import cell_of, means_by_clock
from plumbline.diagnosis.outcomes.residue import Residues

HOUR = 3_600 * SECOND
STREAMS, BETS = 400, 500


def inquiry(level: float, *, classes: int, bound: float = 0.0) -> Inquiry:
    """Ask whether each of some scores has a mean of at least so much."""
    return Inquiry([Null("x", bound)], ["x"], classes=classes, level=level)


@pytest.mark.parametrize("horizon", range(1, 200))
def test_bets_of_one_class_share_no_bar(horizon):
    """The last moment of a block is known when the next block of its class begins."""
    residues = Residues.of(horizon)
    known = residues.block - 1 + horizon

    assert residues.classes * residues.block >= known
    assert (residues.classes - 1) * residues.block < known
    assert residues.classes <= 9


def test_a_true_null_is_doubted_no_more_often_than_stated():
    """Of streams whose scores have just the mean that is claimed, n / level alarm at most."""
    rng = np.random.default_rng(1)
    level = 2_000.0
    asked = inquiry(level, classes=STREAMS)
    alarmed = np.zeros(STREAMS, bool)
    for _ in range(BETS):
        asked.take(rng.choice([-1.0, 1.0], (STREAMS, 1)), np.arange(STREAMS))
        alarmed |= asked._values >= level

    assert alarmed.mean() <= BETS / level
    assert asked.strength <= np.log(STREAMS * 20)


def test_a_false_null_is_doubted_soon():
    """A mean of -.3 where 0 is claimed costs less than 250 bets."""
    rng = np.random.default_rng(2)
    asked = inquiry(1e6, classes=1)
    bets = 0
    while not asked.alarmed and bets < 250:
        bets += 1
        asked.take(np.array([[-0.3 + 0.5 * rng.choice([-1.0, 1.0])]]), np.array([0]))

    assert asked.alarmed
    assert asked.onset >= bets / 2


def test_a_score_that_is_not_there_is_not_bet_on():
    """NaN changes nothing, neither the stakes nor what has been counted."""
    asked, bounds = inquiry(100.0, classes=1), Bounds(1, classes=1)
    before = asked.log_e, bounds.ends()
    asked.take(np.array([[np.nan]]), np.array([0]))
    bounds.take(np.array([[np.nan]]), np.array([0]))

    assert (asked.log_e, asked.onset) == (before[0], 0)
    assert bounds.counts().tolist() == [0]
    assert bounds.interval(0) is None


def test_intervals_hold_at_all_times_at_once():
    """Of 200 streams fewer than one in twenty ever leave theirs; what is sure gets narrow."""
    rng = np.random.default_rng(3)
    mean, scores, classes = 0.2, 200, 3
    bounds = Bounds(scores, classes=classes)
    left = np.zeros(scores, bool)
    for bet in range(900):
        x = np.where(rng.random((1, scores)) < (1 + mean) / 2, 1.0, -1.0)
        bounds.take(x, np.array([bet % classes]))
        low, high = bounds.ends()
        left |= (low > mean) | (high < mean)

    assert left.mean() <= 0.05
    assert (high - low).max() < 0.5


def test_the_clock_knows_hours_and_believes_few_rows_little():
    """Monday's first hour is the first cell; what was seen twice is hardly believed."""
    monday = 1_499_040_000 * SECOND  # 2017-07-03 00:00 UTC
    times = monday + HOUR * np.arange(24 * 7 * 20)
    at_nine = (np.arange(len(times)) % 24 == 9).astype(float)
    clock = means_by_clock(at_nine[:, None], times, overlap=1)
    little = means_by_clock(at_nine[:48, None], times[:48], overlap=1)

    assert cell_of(times[:2]).tolist() == [0, 1]
    assert clock[9, 0] > 0.8
    assert clock[10, 0] < 0.1
    assert little[9, 0] < 0.2
