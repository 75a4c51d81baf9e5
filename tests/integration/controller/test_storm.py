"""A storm of webhooks at three monitors while the store is away: one retrain in the end."""

from __future__ import annotations

import threading
import time

import pytest

from plumbline.bundle.finding import Verdict
from plumbline.monitoring.repair.controller import Controller
from plumbline.store.errors import StoreError
from plumbline.store.incident import EventKind, IncidentStatus
from tests.support.control import Control, alert


def deliver(controller: Controller, version: str, count: int) -> None:
    """Deliver as Alertmanager does: again and again until it is taken."""
    deadline = time.monotonic() + 120
    for number in range(count):
        while time.monotonic() < deadline:
            try:
                controller.requests.put(alert(number % 7, version=version))
                break
            except StoreError:
                time.sleep(0.05)


def work(controller: Controller, control: Control, broken: str, done: threading.Event) -> None:
    """Go round as a monitor does: a round in which the store fails is tried again."""
    while not done.is_set():
        try:
            served = control.registry.alias()
            collapsed = served is not None and served.value.version == broken
            verdict = Verdict.DOMINANT_ACTION if collapsed else Verdict.HEALTHY
            controller.step(control.situation(verdict))
        except StoreError:
            time.sleep(0.05)
        time.sleep(0.005)


@pytest.mark.parametrize(
    "away_seconds", [2.0, pytest.param(60.0, marks=pytest.mark.slow)], ids=["briefly", "a minute"]
)
def test_a_thousand_webhooks_while_the_store_is_away_make_one_retrain(control, away_seconds):
    """The training outlasts it; the lease ends, and whoever takes over goes on from the book."""
    broken = control.serve(0)
    control.plan(seed=4, seconds=away_seconds + 3)
    controllers = [control.controller(triggers=("verdict", "webhook")) for _ in range(3)]
    done = threading.Event()
    threads = [
        *(threading.Thread(target=deliver, args=(each, broken, 334)) for each in controllers),
        *(threading.Thread(target=work, args=(c, control, broken, done)) for c in controllers),
    ]
    store, away = control.folder / "store", control.folder / "away"
    try:
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 30
        while not control.calls and time.monotonic() < deadline:
            time.sleep(0.02)
        # A file in the place of the folder: every operation fails as on a lost disk.
        store.rename(away)
        store.write_text("not a folder")
        time.sleep(away_seconds)
        store.unlink()
        away.rename(store)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            found = control.incidents()
            if found and found[-1].status is IncidentStatus.RESOLVED:
                break
            time.sleep(0.05)
    finally:
        done.set()
        for thread in threads:
            thread.join(150)
        for each in controllers:
            each.close()
    (incident,) = control.incidents()
    events = [event.kind for event in incident.events]

    assert len(control.calls) == 1
    assert incident.status is IncidentStatus.RESOLVED
    assert [events.count(k) for k in (EventKind.RETRAIN_STARTED, EventKind.PROMOTED)] == [1, 1]
    assert [m.value.version for m in control.registry.history()] == [broken, incident.candidate]
