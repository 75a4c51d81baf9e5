"""Calibration finds the distortion that was applied."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.bundle.calibration import softmax
from plumbline.training.calibrate import fit_calibration
from plumbline.training.errors import TrainingError

NONE = (0.0, 0.0, 0.0)


def truth(rows=20_000, seed=0):
    """True logits, and labels drawn from them."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1, (rows, 3)) + np.array([-0.5, 0.8, -0.3])
    draws = rng.random((rows, 1)) > softmax(logits).cumsum(axis=1)
    return logits, draws.sum(axis=1)


def test_a_calibrated_model_is_left_as_it_is():
    """Temperature one, no bias, within noise."""
    logits, labels = truth()
    found = fit_calibration(logits, labels, NONE)

    assert found.temperature == pytest.approx(1, abs=0.05)
    assert np.allclose(found.bias, 0, atol=0.05)
    assert found.rows == 20_000


def test_a_temperature_and_an_offset_are_taken_back():
    """Logits three times too large and shifted give the true probabilities again."""
    logits, labels = truth()
    offset = np.array([2.0, -1.0, 0.5])
    found = fit_calibration(3 * logits + offset, labels, NONE)

    assert found.temperature == pytest.approx(3, abs=0.15)
    assert np.abs(found.apply(3 * logits + offset) - softmax(logits)).max() < 0.03


def test_the_prior_a_loss_left_out_is_put_back_first():
    """Logits without the log prior, and its correction: nothing is left to fit."""
    logits, labels = truth()
    log_prior = np.log(np.bincount(labels) / len(labels))
    found = fit_calibration(logits - log_prior, labels, tuple(log_prior))

    assert np.allclose(found.bias, 0, atol=0.05)
    assert found.prior_correction == pytest.approx(tuple(log_prior))


def test_a_model_that_knows_nothing_becomes_the_label_shares():
    """Logits that have nothing to do with the labels are cooled down to the shares."""
    _, labels = truth()
    noise = np.random.default_rng(1).normal(0, 4, (len(labels), 3))
    p = fit_calibration(noise, labels, NONE).apply(noise)

    assert np.allclose(p.mean(axis=0), np.bincount(labels) / len(labels), atol=0.01)
    assert p.std(axis=0).max() < 0.02


def test_the_biases_are_centred():
    """Of all biases that do the same, the one whose sum is zero."""
    logits, labels = truth(2000)

    assert sum(fit_calibration(logits + np.array([5, 0, 0]), labels, NONE).bias) == pytest.approx(0)


def test_logits_that_are_not_finite_are_refused():
    """Rather than fitted to something."""
    logits, labels = truth(10)
    logits[3, 1] = np.nan

    with pytest.raises(TrainingError, match="not finite"):
        fit_calibration(logits, labels, NONE)
