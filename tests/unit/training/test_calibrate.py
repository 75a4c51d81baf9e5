"""Calibration finds the distortion that was applied, of every kind of output."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.bundle.calibration import softmax
from plumbline.bundle.heads import build_head
from plumbline.training.calibrate import fit_calibrations
from plumbline.training.errors import TrainingError
from tests.support.bundles import choice_output, score_output, value_output

CHOICE, VALUE, SCORE = choice_output(), value_output(width=2), score_output()


def truth(rows=20_000, seed=0):
    """True logits, and choices drawn from them."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1, (rows, 3)) + np.array([-0.5, 0.8, -0.3])
    draws = rng.random((rows, 1)) > softmax(logits).cumsum(axis=1)
    return logits, draws.sum(axis=1)


def fit(logits, labels, correction=None, spec=CHOICE):
    corrections = {spec.name: correction}
    return fit_calibrations((spec,), logits, labels[:, None], None, corrections)[spec.name]


def test_a_calibrated_model_is_left_as_it_is():
    """Temperature one, no bias, within noise."""
    found = fit(*truth())

    assert found.temperature == pytest.approx(1, abs=0.05)
    assert np.allclose(found.bias, 0, atol=0.05)
    assert found.rows == 20_000


def test_a_temperature_and_an_offset_are_taken_back():
    """Logits three times too large and shifted give the true probabilities again."""
    logits, labels = truth()
    offset = np.array([2.0, -1.0, 0.5])
    found = fit(3 * logits + offset, labels)

    assert found.temperature == pytest.approx(3, abs=0.15)
    assert np.abs(found.apply(3 * logits + offset) - softmax(logits)).max() < 0.03


def test_the_prior_a_loss_left_out_is_put_back_first():
    """Logits without the log prior, and its correction: nothing is left to fit."""
    logits, labels = truth()
    log_prior = np.log(np.bincount(labels) / len(labels))
    found = fit(logits - log_prior, labels, tuple(log_prior))

    assert np.allclose(found.bias, 0, atol=0.05)
    assert found.prior_correction == pytest.approx(tuple(log_prior))


def test_a_model_that_knows_nothing_becomes_the_label_shares():
    """Logits that have nothing to do with the labels are cooled down to the shares."""
    _, labels = truth()
    noise = np.random.default_rng(1).normal(0, 4, (len(labels), 3))
    p = fit(noise, labels).apply(noise)

    assert np.allclose(p.mean(axis=0), np.bincount(labels) / len(labels), atol=0.01)
    assert p.std(axis=0).max() < 0.02


def test_the_biases_are_centred():
    """Of all biases that do the same, the one whose sum is zero."""
    logits, labels = truth(2000)

    assert sum(fit(logits + np.array([5, 0, 0]), labels).bias) == pytest.approx(0)


def test_rows_without_a_truth_do_not_count():
    """Whatever the model says of them."""
    logits, labels = truth(4000)
    masked = np.concatenate([labels, np.full(500, np.nan)])
    strange = np.concatenate([logits, np.full((500, 3), 40.0)])

    assert fit(strange, masked) == fit(logits, labels)


def test_members_are_calibrated_as_the_mixture_they_are():
    """Eight partners that scatter about the truth: their average gets the right shares."""
    logits, labels = truth()
    rng = np.random.default_rng(2)
    members = 2 * (logits[:, None] + rng.normal(0, 0.5, (len(logits), 8, 3)))
    spec = choice_output(members=8)
    found = fit(members.reshape(len(logits), -1), labels, spec=spec)
    p = build_head(spec).read(members, found).centre

    assert np.abs(p - softmax(logits)).mean() < 0.03
    for place in range(3):
        sure = p[:, place] > 0.6
        assert p[sure, place].mean() == pytest.approx((labels[sure] == place).mean(), abs=0.02)


def test_a_forecast_in_other_units_is_brought_back_to_the_truths():
    """Twice too large, shifted, and its deviation too small by half."""
    rng = np.random.default_rng(0)
    mean = rng.normal(0, 1, 20_000)
    y = mean + rng.normal(0, 0.5, 20_000)
    raw = np.stack([2 * mean + 3, np.full(20_000, 0.25)], axis=1)
    found = fit(raw, y, spec=VALUE)
    reading = build_head(VALUE).read(raw[:, None], found)

    assert found.slope == pytest.approx(0.5, abs=0.02)
    assert found.intercept == pytest.approx(-1.5, abs=0.05)
    assert np.abs(reading.centre[:, 0] - mean).max() < 0.1
    assert reading.centre[:, 1].mean() == pytest.approx(0.5, abs=0.02)
    assert reading.coordinates.std() == pytest.approx(1, abs=1e-6)


def test_a_forecast_that_is_wrong_is_not_turned_round():
    """The gate is to see that it falls when the truth rises."""
    y = np.random.default_rng(0).normal(size=5000)
    found = fit(np.stack([-y, np.ones(5000)], axis=1), y, spec=VALUE)

    assert found.slope == 1


def test_a_score_learns_what_a_rank_is_worth():
    """The truth rises by 2 % for each standard deviation within the group."""
    rng = np.random.default_rng(0)
    group = np.arange(20_000) // 20
    score = rng.normal(size=20_000)
    y = 0.02 * score + rng.normal(0, 0.01, 20_000)
    found = fit_calibrations((SCORE,), 7 * score[:, None] - 3, y[:, None], group)[SCORE.name]

    assert found.slope == pytest.approx(0.02, rel=0.05)


def test_each_output_is_fitted_on_its_own_numbers_and_truths():
    """Whatever lies beside it, and whichever of its rows are masked."""
    logits, labels = truth(3000)
    rng = np.random.default_rng(3)
    y = rng.normal(size=3000)
    y[::3] = np.nan
    raw = np.stack([np.nan_to_num(y) + rng.normal(0, 0.3, 3000), np.ones(3000)], axis=1)
    both = fit_calibrations(
        (CHOICE, VALUE), np.concatenate([logits, raw], axis=1), np.stack([labels, y], axis=1)
    )

    assert both[CHOICE.name] == fit(logits, labels)
    assert both[VALUE.name] == fit(raw, y, spec=VALUE)
    assert (both[CHOICE.name].rows, both[VALUE.name].rows) == (3000, 2000)


def test_what_cannot_be_fitted_is_refused():
    """Numbers that are not finite, or no truth at all: the output is named."""
    logits, labels = truth(10)
    with pytest.raises(TrainingError, match=r"output h6: .*no row has a truth"):
        fit(logits, np.full(10, np.nan))
    logits[3, 1] = np.nan
    with pytest.raises(TrainingError, match=r"output h6: .*not finite"):
        fit(logits, labels)
