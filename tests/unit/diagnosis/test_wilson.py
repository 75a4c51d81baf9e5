"""The interval of a share."""

from __future__ import annotations

import pytest

from plumbline.diagnosis.wilson import wilson


def test_a_hundred_of_a_hundred_does_not_prove_always() -> None:
    """Incident I4 checked 100 rows, all SELL: the share is above .963, not one."""
    interval = wilson(100, 100)

    assert interval is not None
    assert interval.low == pytest.approx(0.963, abs=5e-4)
    assert interval.high == 1.0


def test_known_value() -> None:
    """Half of ten: .237 to .763, as in the textbooks."""
    interval = wilson(5, 10)

    assert interval is not None
    assert interval.low == pytest.approx(0.2366, abs=1e-4)
    assert interval.high == pytest.approx(0.7634, abs=1e-4)


def test_no_trials_have_no_interval() -> None:
    """Undefined is None, never NaN."""
    assert wilson(0, 0) is None


def test_impossible_counts_are_refused() -> None:
    """More successes than trials is a programmer's mistake."""
    with pytest.raises(ValueError, match="between 0 and 3, got 4"):
        wilson(4, 3)
