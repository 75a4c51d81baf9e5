"""The whole monitor on a real store: rows in, verdict, bulletin, retrain, recovery, restart."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from plumbline.bundle.finding import Verdict
from plumbline.monitoring.monitor import Monitor
from plumbline.store.incident import EventKind, IncidentStatus, Milestone
from plumbline.store.repair_time import repair_time
from tests.support.bundles import small_bundle
from tests.support.control import MODEL, Control, kinds, value
from tests.support.monitored import log_rows
from tests.support.watched import build, stepping, until


@pytest.fixture
def control(tmp_path: Path) -> Control:
    """A store whose bundles have a reference long enough to learn from."""
    made = Control(tmp_path)
    made.plan(seed=1, rows=900)
    return made


def serve(control: Control, seed: int) -> str:
    """Promote a bundle with a long reference."""
    version = control.registry.write(*small_bundle(MODEL, seed=seed, rows=900)).version
    control.registry.promote(version, actor="a person", reason="a test")
    return version


def verdict_of(monitor: Monitor) -> Verdict | None:
    """Return what the monitor says now."""
    watch = monitor.status.watch
    return watch.diagnosis.verdict if watch else None


def test_a_healthy_stream_is_called_healthy_and_published(control):
    """The board names version and verdict; the bulletin is written once per change."""
    bundle = control.registry.open(serve(control, 0))
    with stepping(build(control)) as monitor:
        until(lambda: verdict_of(monitor) is Verdict.INSUFFICIENT_DATA)
        log_rows(control.objects, bundle, rows=300, ago_seconds=-1)
        until(lambda: verdict_of(monitor) is Verdict.HEALTHY)
        until(lambda: monitor.status.watch.rows == 300)
    history = [head.value for head in control.board.history()]

    assert [b.diagnosis.verdict for b in history] == [Verdict.INSUFFICIENT_DATA, Verdict.HEALTHY]
    assert {b.version for b in history} == {bundle.version}
    assert control.incidents() == []
    assert value(monitor.metrics, "plumbline_monitoring_rows_total", model=MODEL) == 300


def test_a_collapse_is_seen_retrained_and_recovered_from(control):
    """From rows of one action to a healthy successor, with exactly one training."""
    broken = control.registry.open(serve(control, 0))
    with stepping(build(control)) as monitor:
        until(lambda: monitor.status.watch is not None)
        log_rows(control.objects, broken, actions=[0] * 250, ago_seconds=-1)
        until(lambda: bool(control.incidents()))
        until(lambda: control.registry.alias().value.version != broken.version)
        successor = control.registry.open(control.registry.alias().value.version)
        until(lambda: monitor.status.watch.version == successor.version)
        log_rows(control.objects, successor, rows=300, ago_seconds=-1)
        until(lambda: control.incidents()[0].ended)
    incident = control.incidents()[0]

    assert incident.status is IncidentStatus.RESOLVED
    assert incident.decided_by.startswith(broken.version)
    assert kinds(incident)[-1] is EventKind.RECOVERED
    assert len(control.calls) == 1
    assert "--until" in control.calls[0]
    assert "--live-since" in control.calls[0]
    verdicts = [head.value.diagnosis.verdict for head in control.board.history()]
    assert verdicts[-1] is Verdict.HEALTHY
    reached = {each.milestone: each.time for each in incident.milestones}
    assert list(reached) == list(Milestone)
    assert reached[Milestone.ONSET] < reached[Milestone.DECIDED]
    faulty = (reached[Milestone.DECIDED] - reached[Milestone.ONSET]) / timedelta(milliseconds=1)
    assert faulty == incident.detected_after - 1
    spent = repair_time(incident)
    whole = (incident.closed - reached[Milestone.ONSET]).total_seconds()
    assert spent.total == pytest.approx(whole, abs=0.01)


def test_a_restarted_monitor_knows_what_the_last_one_knew(control):
    """It reads the rows of the present version again and comes to the same verdict."""
    bundle = control.registry.open(serve(control, 0))
    log_rows(control.objects, bundle, rows=300, ago_seconds=-1)
    with stepping(build(control)) as first:
        until(lambda: verdict_of(first) is Verdict.HEALTHY)
    with stepping(build(control)) as second:
        until(lambda: verdict_of(second) is Verdict.HEALTHY)
        until(lambda: second.status.watch.rows == 300)

    assert len(control.board.history()) == 2


def test_two_monitors_publish_and_act_once(control):
    """One leads, the other watches the same rows and says so on its page."""
    broken = control.registry.open(serve(control, 0))
    with stepping(build(control)) as first, stepping(build(control)) as second:
        until(lambda: first.status.watch is not None and second.status.watch is not None)
        log_rows(control.objects, broken, actions=[2] * 250, ago_seconds=-1)
        until(lambda: len(control.calls) == 1)
        until(lambda: control.registry.alias().value.version != broken.version)

        assert {first.status.leads, second.status.leads} == {True, False}
    numbers = [head.number for head in control.board.history()]

    assert len(control.incidents()) == 1
    assert len(control.calls) == 1
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_champion_that_cannot_be_opened_does_not_stop_the_monitor(control):
    """The page says which file is wrong; the next promotion is watched as usual."""
    version = serve(control, 0)
    path = control.folder / "store" / "models" / MODEL / "versions" / version / "model.onnx"
    path.write_bytes(path.read_bytes()[:-1])
    with stepping(build(control)) as monitor:
        until(lambda: monitor.status.error is not None)

        assert "model.onnx" in monitor.status.error
        good = serve(control, 2)
        until(lambda: monitor.status.watch is not None and monitor.status.watch.version == good)
        until(lambda: monitor.status.error is None)


def test_an_outage_of_the_store_does_not_stop_the_monitor(control, monkeypatch):
    """Rounds fail and are counted; when the store is back, so is the monitor."""
    serve(control, 0)
    monitor = build(control)
    folder = control.folder / "store"
    with stepping(monitor):
        until(lambda: monitor.status.watch is not None)
        # A file in the place of the folder: every operation fails as on a lost disk.
        away = control.folder / "away"
        folder.rename(away)
        folder.write_text("not a folder")
        until(lambda: value(monitor.metrics, "plumbline_monitoring_errors_total", model=MODEL) >= 2)

        assert "StoreError" in monitor.status.error
        folder.unlink()
        away.rename(folder)
        until(lambda: monitor.status.error is None, seconds=10)


def test_without_a_champion_the_monitor_waits(control):
    """And begins when there is one."""
    with stepping(build(control)) as monitor:
        until(lambda: monitor.last_success is not None)

        assert monitor.status.watch is None
        version = serve(control, 0)
        until(lambda: monitor.status.watch is not None)

        assert monitor.status.watch.version == version


def test_rows_of_an_earlier_promotion_do_not_count_again(control):
    """A version that is promoted again is watched anew."""
    version = serve(control, 0)
    log_rows(control.objects, control.registry.open(version), rows=300, ago_seconds=3600)
    serve(control, 2)
    serve(control, 0)
    with stepping(build(control)) as monitor:
        until(lambda: monitor.status.watch is not None)
        log_rows(control.objects, control.registry.open(version), rows=10, ago_seconds=-1)
        until(lambda: monitor.status.watch.rows >= 10)

        assert monitor.status.watch.rows == 10
