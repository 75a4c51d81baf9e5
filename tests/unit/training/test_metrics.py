"""Scores against values computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.training.metrics import brier, calibration_error, log_loss, macro_f1, score

P = np.array([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.0, 1.0, 0.0], [0.1, 0.1, 0.8]])
LABELS = np.array([0, 1, 2, 2], dtype=np.int8)


def test_log_loss_is_the_mean_surprise():
    """A class given probability zero costs much, but not infinitely much."""
    assert log_loss(P[:2], LABELS[:2]) == pytest.approx(np.log(2))
    assert 20 < log_loss(P[2:3], LABELS[2:3]) < 30


def test_brier_is_the_squared_distance_to_the_truth():
    """0 for certainty that is right, 2 for certainty that is wrong."""
    assert brier(P[:1], LABELS[:1]) == pytest.approx(0.5**2 + 2 * 0.25**2)
    assert brier(P[2:3], LABELS[2:3]) == pytest.approx(2)
    assert brier(np.eye(3), np.arange(3)) == 0


def test_calibration_error_compares_confidence_with_hits():
    """Confidence 0.8 and half of them right: 0.3."""
    confident = np.tile([0.1, 0.1, 0.8], (10, 1))

    assert calibration_error(confident, np.array([2, 0] * 5)) == pytest.approx(0.3)
    assert calibration_error(np.eye(3), np.arange(3)) == pytest.approx(0)


def test_macro_f1_is_the_mean_of_the_classes():
    """Two thirds for a class taken once too often, zero for one never taken."""
    actions, labels = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 2])

    assert macro_f1(actions, labels, 3) == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)


def test_the_constant_knows_the_label_shares():
    """Two constants: the best in hindsight, and the training prior; masked rows do not count."""
    labels = np.array([0, 1, 1, 2, -1], dtype=np.int8)
    found = score(np.tile([0.25, 0.5, 0.25], (5, 1)), np.ones(5, int), labels, (0.2, 0.6, 0.2))

    assert found["rows_labelled"] == 4
    assert found["log_loss"] == pytest.approx(found["log_loss_constant"])
    assert found["log_loss_prior"] > found["log_loss_constant"]
    assert (found["accuracy"], found["majority_share"], found["share_hold"]) == (0.5, 0.5, 1.0)
    assert (found["recall_hold"], found["recall_sell"]) == (1.0, 0.0)


def test_without_labels_there_are_shares_alone():
    """Nothing is made up."""
    found = score(P, np.array([0, 1, 1, 2]), np.full(4, -1, np.int8), (0.2, 0.6, 0.2))

    assert set(found) == {"share_sell", "share_hold", "share_buy", "rows_labelled"}
