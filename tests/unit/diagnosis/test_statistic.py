"""The plain statistics of predictions."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.bundle.heads.choice import clr
from plumbline.diagnosis.entropy import entropy, mutual_information
from plumbline.diagnosis.movement import movement, previous_rows, step_scale
from plumbline.diagnosis.offset import log_odds_range, restoring_offset
from plumbline.diagnosis.output_baseline import offset_size
from plumbline.diagnosis.psi import bin_edges, bin_shares, psi
from plumbline.diagnosis.share import share_entropy, top_action
from tests.support.streams import OUTPUT, OUTPUTS

EVEN = np.full((4, 3), 1 / 3)


def test_entropy_of_certainty_is_zero_and_of_evenness_log_k() -> None:
    """Zeros are allowed and count nothing."""
    found = entropy(np.array([[1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3]]))

    assert found == pytest.approx([0.0, np.log(3)])


def test_a_flat_model_and_a_saturated_one_know_nothing() -> None:
    """Mutual information is zero whether the model is always unsure or always sure of the same."""
    sure = np.tile([0.0, 1.0, 0.0], (4, 1))

    assert mutual_information(EVEN) == pytest.approx(0.0)
    assert mutual_information(sure) == pytest.approx(0.0)
    assert mutual_information(np.eye(3)) == pytest.approx(np.log(3))


def test_spread_of_a_single_row_is_undefined() -> None:
    """Incident I0: the standard deviation of one prediction is not zero."""
    head = OUTPUTS.heads[OUTPUT]
    even = OUTPUTS.restore(EVEN, np.zeros((len(EVEN), 1)))[OUTPUT]

    assert head.spread(even.take(slice(0, 1))) is None
    assert mutual_information(EVEN[:1]) is None
    assert head.spread(even) == 0.0


def test_top_action_of_nothing_is_none() -> None:
    """And ties go to the first."""
    assert top_action(np.array([], np.int64), 3) is None
    found = top_action(np.array([2, 1, 1, 2]), 3)

    assert found is not None
    assert found[:2] == (1, 0.5)


def test_share_entropy_is_relative_to_the_number_of_classes() -> None:
    """One class holding all is 0, evenness 1."""
    assert share_entropy(np.array([1.0, 0.0, 0.0])) == 0.0
    assert share_entropy(np.array([0.5, 0.5])) == pytest.approx(1.0)
    assert share_entropy(np.array([0.0, 0.0])) is None


def test_previous_rows_are_of_the_same_symbol() -> None:
    """The first row of each symbol has none."""
    found = previous_rows(np.array(["a", "b", "a", "a", "b"]), 5)

    assert found.tolist() == [-1, -1, 0, 2, 1]


def test_gain_is_output_movement_per_input_movement() -> None:
    """Twice the step of the input, twice the step of the output: the same gain."""
    features = np.array([[0.0], [1.0], [3.0], [3.0]])
    ratios = np.array([[0.0, 0.0], [0.5, -0.5], [1.5, -1.5], [1.5, -1.5]])
    previous = previous_rows(None, 4)
    found = movement(features, ratios, previous, np.ones(1))

    assert found.gain[1:3] == pytest.approx([0.5, 0.5])
    assert np.isnan(found.gain[[0, 3]]).all()
    assert found.still.tolist() == [False, False, False, True]
    assert step_scale(features, previous) == pytest.approx([np.sqrt(5 / 3)])


def test_clr_does_not_depend_on_scale_and_survives_zero() -> None:
    """Log-ratios of (2, 8) and (.2, .8) agree; a probability of zero stays finite."""
    assert clr(np.array([[0.2, 0.8]])) == pytest.approx(clr(np.array([[2.0, 8.0]])))
    assert np.isfinite(clr(np.array([[0.0, 1.0]]))).all()


def test_psi_of_equal_shares_is_zero_and_of_a_shift_is_not() -> None:
    """Bins come from the reference; heavy repeats merge them instead of failing."""
    values = np.arange(1000.0)
    edges = bin_edges(values)
    usual = bin_shares(values, edges)

    assert psi(usual, usual) == 0.0
    assert psi(bin_shares(values + 900, edges), usual) > 2.0
    assert len(bin_edges(np.zeros(50))) == 1


def test_restoring_offset_of_a_constant_model() -> None:
    """Probabilities (.8, .1, .1) and an even target: log(1/8) on the first class."""
    constant = np.tile([0.8, 0.1, 0.1], (10, 1))
    offset = restoring_offset(constant, np.full(3, 1 / 3))

    assert offset[0] - offset[1] == pytest.approx(np.log(1 / 8), abs=1e-4)
    assert offset_size(offset) == pytest.approx(np.log(8), abs=1e-4)


def test_prior_log_odds_have_a_floor() -> None:
    """Reports' shares 16.3 / 65.6 / 18.1 give 1.39 nats; an even prior gives log 2."""
    assert log_odds_range(np.array([0.163, 0.656, 0.181])) == pytest.approx(1.392, abs=1e-3)
    assert log_odds_range(np.full(3, 1 / 3)) == pytest.approx(np.log(2))
