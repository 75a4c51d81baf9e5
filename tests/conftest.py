"""What all tests share."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings a developer has exported do not reach a test."""
    for name in list(os.environ):
        if name.startswith(("PLUMBLINE_SERVICE_", "PLUMBLINE_MONITORING_")):
            monkeypatch.delenv(name)
