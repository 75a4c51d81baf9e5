"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from plumbline.bundle.plugin_module import VARIABLE


@pytest.fixture(autouse=True)
def _no_plugins_from_other_tests() -> Iterator[None]:
    """Modules that a command under test was told of are told to nobody after it."""
    before = os.environ.pop(VARIABLE, None)
    yield
    os.environ.pop(VARIABLE, None)
    if before is not None:
        os.environ[VARIABLE] = before


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings a developer has exported do not reach a test."""
    for name in list(os.environ):
        if name.startswith(("PLUMBLINE_SERVICE_", "PLUMBLINE_MONITORING_")):
            monkeypatch.delenv(name)
