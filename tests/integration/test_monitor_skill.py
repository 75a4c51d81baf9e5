"""Outcomes through the store, the monitor, the board, the page and the metrics."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import httpx
import numpy as np
import pytest
from typer.testing import CliRunner

from plumbline.bundle.finding import Verdict
from plumbline.cli.main import app
from plumbline.store.incident import EventKind, IncidentStatus
from tests.support.bundles import small_bundle
from tests.support.control import MODEL, Control, kinds, value
from tests.support.monitored import log_rows
from tests.support.outcomes import drawn, tell
from tests.support.watched import build, published, stepping, until

ROWS = 1_500
Told: TypeAlias = Callable[[np.ndarray], np.ndarray]


@pytest.fixture
def control(tmp_path: Path) -> Control:
    """A store whose champion's reference is long enough to promise something."""
    made = Control(tmp_path)
    version = made.registry.write(*small_bundle(MODEL, rows=900)).version
    made.registry.promote(version, actor="a person", reason="a test")
    return made


def turned(places: np.ndarray) -> np.ndarray:
    """Return BUY where SELL came."""
    return 2 - places


def of_others(places: np.ndarray) -> np.ndarray:
    """Return what came of other rows."""
    return np.random.default_rng(0).permutation(places)


def predicted(control: Control, told: Told = np.asarray, *, ago_seconds: float = -3):
    """Log predictions and what became of them; returns the version and the predictions."""
    bundle = control.registry.open(control.registry.alias().value.version)
    rows = log_rows(control.objects, bundle, rows=ROWS, ago_seconds=ago_seconds)
    centre = np.array([np.frombuffer(row.centre, np.float32) for row in rows])
    places = drawn(centre, 0)
    tell(control.objects, bundle, rows, told(places), ago_seconds=max(ago_seconds - 5, 0))
    return bundle, rows


def settled(monitor) -> bool:
    """Whether every outcome has been bet on."""
    report = monitor.status.skill
    return bool(report and report.outputs and report.outputs[0].rows == ROWS)


@pytest.mark.parametrize(
    ("told", "verdict", "words"),
    [
        (turned, Verdict.ANTI_SIGNAL, "points the wrong way"),
        (of_others, Verdict.NO_SIGNAL, "has gained less than its reference promised"),
    ],
)
def test_outcomes_that_speak_against_a_model_call_a_person_once(control, told, verdict, words):
    """Sizes are held back on the board, one incident is opened, and no retrain is ordered."""
    with stepping(build(control)) as monitor:
        until(lambda: monitor.status.watch is not None)
        bundle, _ = predicted(control, told)
        until(lambda: monitor.status.watch.rows == ROWS)
        assert monitor.status.watch.diagnosis.verdict is Verdict.HEALTHY
        until(lambda: bool(control.incidents()), seconds=60)
        until(lambda: control.board.newest().value.incident is not None)
        with published(monitor) as url:
            page = httpx.get(url).text
    incident = control.incidents()[0]
    bulletin = control.board.newest().value

    assert len(control.incidents()) == 1
    assert (incident.verdict, incident.status) == (verdict, IncidentStatus.CALLED)
    assert kinds(incident)[-1] is EventKind.CALLED
    assert bulletin.diagnosis.verdict is verdict
    assert not bulletin.diagnosis.sized
    assert control.calls == []
    labels = {"model": MODEL, "version": bundle.version}
    assert value(monitor.metrics, "plumbline_monitoring_skill_outcomes", result="joined", **labels)
    low = {"output": "h6", "figure": "gain_constant", "end": "value"}
    assert value(monitor.metrics, "plumbline_monitoring_skill_value", **low, **labels) < 0
    n = {"output": "h6", "figure": "gain_constant"}
    assert value(monitor.metrics, "plumbline_monitoring_skill_moments", **n, **labels) > 0
    honest = {"output": "h6", "figure": "calibration_error", "end": "value"}
    assert 0 < value(monitor.metrics, "plumbline_monitoring_skill_value", **honest, **labels) < 1
    assert words in page
    assert "between which way it leans and which way it went" in page


def test_the_command_line_judges_by_outcomes_too(control):
    """`plumbline diagnose predictions live` says what the monitor says, and exits 1."""
    predicted(control, turned, ago_seconds=30)
    where = ("--store", control.url, "--model", MODEL)
    told = ("diagnose", "predictions", "live", "--rows", str(ROWS), "--json")
    said = CliRunner().invoke(app, [*told, *where])

    assert said.exit_code == 1
    assert json.loads(said.stdout)["diagnosis"]["verdict"] == "anti_signal"


@pytest.mark.slow
def test_outcomes_that_bear_a_model_out_change_nothing(control):
    """It stays healthy, and a monitor that starts again knows what the last one knew."""
    with stepping(build(control)) as monitor:
        until(lambda: monitor.status.watch is not None)
        predicted(control)
        until(lambda: settled(monitor), seconds=60)
        before = monitor.status.skill
    with stepping(build(control)) as monitor:
        until(lambda: settled(monitor), seconds=60)
        after = monitor.status.skill
        assert monitor.status.watch.diagnosis.verdict is Verdict.HEALTHY

    assert after.outputs == before.outputs
    assert control.incidents() == []
