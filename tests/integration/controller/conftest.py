"""A controller on a real store, for every road an incident can take."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from plumbline.monitoring.metrics import Metrics
from plumbline.monitoring.repair.controller import Controller
from tests.support.control import Control


@pytest.fixture
def control(tmp_path: Path) -> Control:
    """A store without a model."""
    return Control(tmp_path)


@pytest.fixture
def metrics() -> Metrics:
    """Metrics to look at afterwards."""
    return Metrics()


@pytest.fixture
def controller(control: Control, metrics: Metrics) -> Iterator[Controller]:
    """The one controller of the store."""
    made = control.controller(metrics)
    yield made
    made.close()
