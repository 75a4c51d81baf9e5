"""A person was called: metric and page say so until they act, whoever restarts meanwhile."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from plumbline.bundle.finding import Verdict
from plumbline.monitoring.metrics import Metrics
from plumbline.monitoring.page.view import Visit, render
from plumbline.store.incident import Incident, IncidentBook, IncidentStatus
from tests.support.control import MODEL, Control, judgement, value
from tests.support.watched import build

AWAITED = "plumbline_monitoring_person_awaited"


@pytest.fixture
def control(tmp_path: Path) -> Control:
    """A model of which the loop has given up one version."""
    made = Control(tmp_path)
    version = made.serve(0)
    moment = made.clock()
    diagnosis = judgement(Verdict.FLAT).diagnosis
    ended = Incident(
        id="0" * 16,
        model=MODEL,
        version=version,
        verdict=Verdict.FLAT,
        status=IncidentStatus.CALLED,
        trigger="verdict",
        actor="verdict",
        opened=moment,
        closed=moment,
        detected_after=20,
        called_for="attempts_used_up",
        diagnosis=diagnosis,
    )
    IncidentBook(made.objects, MODEL).open(ended)
    return made


def awaited(metrics: Metrics, version: str, reason: str = "attempts_used_up") -> float:
    """Whether a person is awaited for a reason."""
    return value(metrics, AWAITED, model=MODEL, version=version, reason=reason)


def test_a_person_is_awaited_until_another_version_is_promoted(control):
    """Also by a monitor that was started a day later."""
    version = control.registry.alias().value.version
    control.offset = timedelta(days=1)
    monitor = build(control)
    monitor.step()
    before, page = awaited(monitor.metrics, version), render(monitor.status, Visit())
    other = control.serve(5)
    monitor.step()
    after = awaited(monitor.metrics, version)
    monitor.close()

    assert (before, after) == (1.0, 0.0)
    assert awaited(monitor.metrics, other) == 0.0
    assert "Nothing more is tried on this version" in page
    assert "until a person promotes another, or orders a retrain" in page


def test_a_called_person_is_awaited_while_the_inputs_are_broken(tmp_path):
    """By the verdict's name, which has an alert of its own; over when the inputs are sound."""
    control = Control(tmp_path)
    version = control.serve(0)
    controller = control.controller()
    controller.step(control.situation(Verdict.FROZEN_FEED))
    controller.close()
    monitor = build(control)
    monitor.step()
    during = awaited(monitor.metrics, version, "frozen_feed")
    monitor.controller.step(control.situation(Verdict.HEALTHY))
    monitor.step()
    monitor.close()

    assert during == 1.0
    assert awaited(monitor.metrics, version, "frozen_feed") == 0.0
