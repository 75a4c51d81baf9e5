"""Scores against values computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.bundle.calibration import ScoreCalibration, ValueCalibration
from plumbline.bundle.heads.score import normal_scores
from plumbline.bundle.outputs import Outputs
from plumbline.bundle.policies.kelly import KellyParams, KellyPolicy
from plumbline.bundle.policies.rank import RankParams, RankPolicy
from plumbline.training.gate import sample_of
from plumbline.training.metrics import brier, log_loss, macro_f1, score
from tests.support.bundles import score_output, value_output
from tests.support.streams import choosing

P = np.array([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.0, 1.0, 0.0], [0.1, 0.1, 0.8]])
LABELS = np.array([0, 1, 2, 2], dtype=np.int8)


def sample(outputs, logits, truth):
    """Rows of one choice with what is true of them."""
    return sample_of(logits, outputs, features=None, truth=truth[:, None])


def test_log_loss_is_the_mean_surprise():
    """A class given probability zero costs much, but not infinitely much."""
    assert log_loss(P[:2], LABELS[:2]) == pytest.approx(np.log(2))
    assert 20 < log_loss(P[2:3], LABELS[2:3]) < 30


def test_brier_is_the_squared_distance_to_the_truth():
    """0 for certainty that is right, 2 for certainty that is wrong."""
    assert brier(P[:1], LABELS[:1]) == pytest.approx(0.5**2 + 2 * 0.25**2)
    assert brier(P[2:3], LABELS[2:3]) == pytest.approx(2)
    assert brier(np.eye(3), np.arange(3)) == 0


def test_macro_f1_is_the_mean_of_the_classes():
    """Two thirds for a class taken once too often, zero for one never taken."""
    actions, labels = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 2])

    assert macro_f1(actions, labels, 3) == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)


def test_the_constant_knows_the_label_shares():
    """Two constants: the best in hindsight, and the policy's prior; masked rows do not count."""
    outputs = choosing((0.2, 0.6, 0.2))
    truth = np.array([0, 1, 1, 2, np.nan])
    found = score(sample(outputs, np.log(np.tile([0.25, 0.5, 0.25], (5, 1))), truth), outputs)

    assert found["rows_labelled"] == 4
    assert found["log_loss"] == pytest.approx(found["log_loss_constant"])
    assert found["log_loss_prior"] > found["log_loss_constant"]
    assert found["gain"] == pytest.approx(0)
    assert found["majority_share"] == 0.5


def test_recall_and_accuracy_are_the_policys():
    """With tau 1, evidence beyond the prior decides: the third row is a BUY at 0.3."""
    outputs = choosing((0.2, 0.6, 0.2))
    p = np.array([[0.1, 0.8, 0.1], [0.1, 0.8, 0.1], [0.1, 0.6, 0.3], [0.4, 0.5, 0.1]])
    found = score(sample(outputs, np.log(p), np.array([1.0, 0.0, 2.0, 0.0])), outputs)

    assert (found["share_sell"], found["share_hold"], found["share_buy"]) == (0.25, 0.5, 0.25)
    assert (found["recall_sell"], found["recall_hold"], found["recall_buy"]) == (0.5, 1, 1)
    assert found["accuracy"] == 0.75


def test_without_labels_there_are_shares_alone():
    """Nothing is made up."""
    outputs = choosing((0.2, 0.6, 0.2))
    nothing = np.full(4, np.nan)
    found = score(sample(outputs, np.zeros((4, 3)), nothing), outputs)

    assert set(found) == {"share_sell", "share_hold", "share_buy", "rows_labelled"}
    assert found["rows_labelled"] == 0


def test_a_forecast_is_held_against_the_mean_of_the_truth():
    """The primary output by plain names, the other behind its own; masks are each one's own."""
    one, other = value_output(name="r1"), value_output(name="r5")
    identity = {spec.name: ValueCalibration(rows=4) for spec in (one, other)}
    outputs = Outputs((one, other), identity, KellyPolicy(KellyParams(), one))
    truth = np.array([[1.0, -1.0], [-1.0, np.nan], [2.0, 1.0], [-2.0, np.nan]])
    raw = np.array([[1.0, 1.0], [-1.0, 1.0], [-1.0, 1.0], [-2.0, 1.0]])
    found = score(sample_of(raw, outputs, features=None, truth=truth), outputs)

    assert found["rmse"] == pytest.approx(1.5)
    assert found["rmse_constant"] == pytest.approx(np.sqrt(2.5))
    assert found["sign_share"] == 0.75
    assert found["correlation"] == pytest.approx(np.corrcoef(truth[:, 0], raw[:, 0])[0, 1])
    assert (found["r5.rows_labelled"], found["r5.rmse"]) == (2, pytest.approx(np.sqrt(2)))
    assert "r5.correlation" not in found
    assert not any(name.startswith("share_") for name in found)


def test_a_ranking_is_scored_by_cross_section():
    """Right in one group, turned round in the next: zero on average, and not steady."""
    spec = score_output()
    outputs = Outputs(
        (spec,), {spec.name: ScoreCalibration(rows=1)}, RankPolicy(RankParams(), spec)
    )
    group = np.repeat([7, 9, 11], 5)
    truth = np.tile(np.arange(5.0), 3)
    raw = np.concatenate([np.arange(5), np.arange(5), -np.arange(5)])[:, None] + 100.0
    found = score(
        sample_of(raw, outputs, features=None, truth=truth[:, None], group=group), outputs
    )

    assert found["cross_sections"] == 3
    assert found["rank_ic"] == pytest.approx(1 / 3)
    assert found["rank_ic_ir"] == pytest.approx((1 / 3) / np.std([1, 1, -1]))
    assert found["gain"] == pytest.approx(np.mean(normal_scores(np.arange(5)) ** 2) / 3)


def test_a_constant_score_has_no_correlation():
    """No cross-section counts, rather than a correlation of nothing with something."""
    spec = score_output()
    outputs = Outputs(
        (spec,), {spec.name: ScoreCalibration(rows=1)}, RankPolicy(RankParams(), spec)
    )
    truth = np.arange(10.0)[:, None]
    found = score(sample_of(np.zeros((10, 1)), outputs, features=None, truth=truth), outputs)

    assert found["cross_sections"] == 0
    assert "rank_ic" not in found
    assert found["gain"] == 0
