"""Outcomes through the store, the monitor, the board, the page and the metrics."""

from __future__ import annotations

from pathlib import Path

import httpx
import numpy as np
import pytest

from plumbline.bundle.finding import Verdict
from plumbline.store.incident import EventKind, IncidentStatus
from tests.support.bundles import small_bundle
from tests.support.control import MODEL, Control, kinds, value
from tests.support.monitored import log_rows
from tests.support.outcomes import drawn, tell
from tests.support.watched import build, published, stepping, until

ROWS = 1_500


@pytest.fixture
def control(tmp_path: Path) -> Control:
    """A store whose champion's reference is long enough to promise something."""
    made = Control(tmp_path)
    version = made.registry.write(*small_bundle(MODEL, rows=900)).version
    made.registry.promote(version, actor="a person", reason="a test")
    return made


def predicted(control: Control, *, turned: bool):
    """Log predictions and what became of them; returns both."""
    bundle = control.registry.open(control.registry.alias().value.version)
    rows = log_rows(control.objects, bundle, rows=ROWS, ago_seconds=-3)
    centre = np.array([np.frombuffer(row.centre, np.float32) for row in rows])
    places = drawn(centre, 0)
    tell(control.objects, bundle, rows, 2 - places if turned else places)
    return bundle, rows


def settled(monitor) -> bool:
    """Whether every outcome has been bet on."""
    report = monitor.status.skill
    return bool(report and report.outputs and report.outputs[0].rows == ROWS)


def test_outcomes_that_speak_against_the_direction_call_a_person_once(control):
    """Sizes are held back on the board, one incident is opened, and no retrain is ordered."""
    with stepping(build(control)) as monitor:
        until(lambda: monitor.status.watch is not None)
        bundle, _ = predicted(control, turned=True)
        until(lambda: monitor.status.watch.rows == ROWS)
        assert monitor.status.watch.diagnosis.verdict is Verdict.HEALTHY
        until(lambda: bool(control.incidents()), seconds=60)
        until(lambda: control.board.newest().value.incident is not None)
        with published(monitor) as url:
            page = httpx.get(url).text
    incident = control.incidents()[0]
    bulletin = control.board.newest().value

    assert len(control.incidents()) == 1
    assert (incident.verdict, incident.status) == (Verdict.ANTI_SIGNAL, IncidentStatus.CALLED)
    assert kinds(incident)[-1] is EventKind.CALLED
    assert bulletin.diagnosis.verdict is Verdict.ANTI_SIGNAL
    assert not bulletin.diagnosis.sized
    assert control.calls == []
    labels = {"model": MODEL, "version": bundle.version}
    assert value(monitor.metrics, "monitoring_skill_outcomes_count", result="joined", **labels)
    low = {"output": "h6", "figure": "direction", "end": "value"}
    assert value(monitor.metrics, "monitoring_skill_value", **low, **labels) < -0.1
    assert "points the wrong way" in page
    assert "between which way it leans and which way it went" in page


def test_outcomes_that_bear_a_model_out_change_nothing(control):
    """It stays healthy, and a monitor that starts again knows what the last one knew."""
    with stepping(build(control)) as monitor:
        until(lambda: monitor.status.watch is not None)
        predicted(control, turned=False)
        until(lambda: settled(monitor), seconds=60)
        before = monitor.status.skill
    with stepping(build(control)) as monitor:
        until(lambda: settled(monitor), seconds=60)
        after = monitor.status.skill
        assert monitor.status.watch.diagnosis.verdict is Verdict.HEALTHY

    assert after.outputs == before.outputs
    assert control.incidents() == []
