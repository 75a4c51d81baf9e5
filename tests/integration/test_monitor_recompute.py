"""The monitor has inputs computed again, and says what came of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from plumbline.bundle.archive import Bundle
from plumbline.bundle.finding import Remedy, Verdict
from plumbline.monitoring.monitor import Monitor
from tests.support.control import MODEL, Control, value
from tests.support.recomputed import WALK, Client, train_walk
from tests.support.watched import build, stepping, until


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, Path]:
    """A model of one symbol, and the file it was made from."""
    return train_walk(tmp_path_factory.mktemp("trained"))


@pytest.fixture
def control(tmp_path: Path, trained: tuple[Bundle, Path]) -> Control:
    """A store in which that model serves."""
    bundle, _ = trained
    control = Control(tmp_path)
    control.registry.write(bundle.manifest, dict(bundle.files))
    control.registry.promote(bundle.version, actor="a person", reason="a test", force=True)
    return control


@pytest.fixture
def client(control: Control, trained: tuple[Bundle, Path]) -> Client:
    """Whoever asks it."""
    return Client(control.objects, trained[0], WALK, trained[1])


def said(monitor: Monitor) -> str:
    """Return the cause of the present verdict."""
    watch = monitor.status.watch
    return "" if watch is None else watch.diagnosis.cause


def recomputed(monitor: Monitor, result: str) -> float:
    """Return how often that came of it."""
    name = "plumbline_monitoring_recomputations_total"
    return value(monitor.metrics, name, model=MODEL, result=result)


def test_a_client_wrong_from_its_first_row_is_accused_and_then_cleared(
    control: Control, client: Client
) -> None:
    """After 50 rows, by the bars the champion was trained on; after 20 right ones all is well."""
    monitor = build(control, bars=None)
    with stepping(monitor):
        until(lambda: monitor.status.watch is not None)
        client.send(np.roll(client.table, 1, axis=1), slice(-120, -60), ago_seconds=-0.5)
        until(lambda: "not what training computes" in said(monitor), seconds=90)
        bulletin = control.board.newest().value
        client.send(client.table, slice(-60, -30), ago_seconds=-0.5)
        until(lambda: recomputed(monitor, "equal") == 1, seconds=90)
        until(lambda: "not what training computes" not in said(monitor), seconds=90)

    assert bulletin.diagnosis.verdict is Verdict.SCHEMA_SKEW
    assert bulletin.diagnosis.remedy is Remedy.CALL
    assert "31 columns arrive in another order" in bulletin.diagnosis.cause
    assert recomputed(monitor, "wrong") >= 1
    assert control.calls == []


def test_a_right_client_is_asked_once(control: Control, client: Client) -> None:
    """The answer stands until there is reason for another."""
    monitor = build(control, bars=None)
    with stepping(monitor):
        until(lambda: monitor.status.watch is not None)
        client.send(client.table, slice(-120, -60), ago_seconds=-0.5)
        until(lambda: recomputed(monitor, "equal") == 1, seconds=90)
        client.send(client.table, slice(-60, None), ago_seconds=-0.5)
        until(lambda: monitor.status.watch.rows == 120)

    assert recomputed(monitor, "equal") == 1
    assert sum(recomputed(monitor, other) for other in ("wrong", "unknown", "failed")) == 0


def test_bars_that_cannot_be_read_accuse_nobody(control: Control, client: Client) -> None:
    """The job says so, and the stream is judged as if there were none."""
    monitor = build(control, bars="absent.csv")
    with stepping(monitor):
        until(lambda: monitor.status.watch is not None)
        client.send(np.roll(client.table, 1, axis=1), slice(-120, -60), ago_seconds=-0.5)
        until(lambda: recomputed(monitor, "unknown") == 1, seconds=90)

    assert "not what training computes" not in said(monitor)
