"""What feature sets are made of, against numpy and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view

from plumbline.training.feature_sets.trailing import (
    Clock,
    Trailing,
    exponential,
    highest,
    logarithm,
    mean,
    of_changes,
    ratio,
    total,
    value,
)

VALUES = np.random.default_rng(0).normal(size=(1, 1, 60))
SERIES = torch.from_numpy(VALUES)


def trailing(kernel, values=VALUES):
    (series,) = Trailing([[[kernel]]])(torch.from_numpy(values).float())
    return series.numpy()[0, 0]


def test_a_sum_is_that_of_the_newest_values():
    """The first row is the first that has them all."""
    windows = sliding_window_view(VALUES[0, 0], 7)

    assert np.allclose(trailing(total(7)), windows.sum(axis=1), atol=1e-6)
    assert np.allclose(trailing(mean(7)), windows.mean(axis=1), atol=1e-6)
    assert np.allclose(trailing(value(6)), VALUES[0, 0, :54], atol=1e-6)


def test_series_have_kernels_of_their_own():
    """Shorter ones take the newest values; each block comes out by itself."""
    both = torch.cat([SERIES, 10 * SERIES], dim=1).float()
    kernels = [[[total(2)]], [[total(5), value(), value(1)], [total(3)]]]
    one, other, third = Trailing(kernels)(both)

    assert one.shape == (1, 1, 56)
    assert other.shape == (1, 3, 56)
    assert np.allclose(third[0, 0], 10 * trailing(total(3))[2:], atol=1e-5)
    assert np.allclose(one[0, 0], VALUES[0, 0, 4:] + VALUES[0, 0, 3:-1], atol=1e-5)
    assert np.allclose(other[0, 1], 10 * VALUES[0, 0, 4:], atol=1e-5)


def test_a_difference_of_averages_follows_from_changes():
    """Whatever the level is."""
    level = 1000 + VALUES[0, 0].cumsum()
    found = trailing(of_changes(mean(3), mean(8)), np.diff(level)[None, None])
    windows = sliding_window_view(level, 8)

    assert np.allclose(found, windows[:, -3:].mean(axis=1) - windows.mean(axis=1), atol=1e-5)
    with pytest.raises(ValueError, match="must add up to 0, these give 1"):
        of_changes(total(2), value())


def test_an_exponential_average_is_cut_off_and_renormalised():
    """Its weights fall by a constant factor and add up to one."""
    kernel = exponential(9, 30)

    assert sum(kernel) == pytest.approx(1)
    assert kernel[1] / kernel[0] == pytest.approx(0.8)
    assert len(kernel) == 30


def test_extremes_of_nested_widths():
    """Each is the highest of its own window."""
    for width, found in zip((4, 24, 48), highest(SERIES, (4, 24, 48)), strict=True):
        expected = sliding_window_view(VALUES[0, 0], width).max(axis=1)

        assert np.array_equal(found[0, 0], expected)
    with pytest.raises(ValueError, match="5 does not divide 12"):
        highest(SERIES, (5, 12))


def test_nothing_divided_by_nothing_is_zero():
    """And a level of zero has a logarithm."""
    zero = torch.zeros(3)

    assert ratio(zero, zero).tolist() == [0, 0, 0]
    assert ratio(torch.tensor([1e-9]), torch.tensor([2e-9])).item() == pytest.approx(0.5)
    assert logarithm(zero)[0].item() == pytest.approx(np.log(1e-8))


def test_the_clock_shows_the_phase_a_third_into_the_bar():
    """At 05:40 of a day the hour is 6 when bars last an hour: a quarter of the circle."""
    clock = Clock((86_400,), 3600)
    time = torch.tensor([[[5 * 3600.0 + 2400], [1_700_006_400.0]]], dtype=torch.float64)
    sine, cosine = clock(time)[0].T

    assert (sine[0].item(), cosine[0].item()) == pytest.approx((1, 0), abs=1e-6)
    angle = 2 * np.pi * 1200 / 86_400
    assert (sine[1].item(), cosine[1].item()) == pytest.approx((np.sin(angle), np.cos(angle)))
