"""Confidence held against hits."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.diagnosis.calibration_error import calibration_error


def test_calibration_error_compares_confidence_with_hits():
    """Confidence 0.8 and half of them right: 0.3."""
    confident = np.tile([0.1, 0.1, 0.8], (10, 1))

    assert calibration_error(confident, np.array([2, 0] * 5)) == pytest.approx(0.3)
    assert calibration_error(np.eye(3), np.arange(3)) == pytest.approx(0)
