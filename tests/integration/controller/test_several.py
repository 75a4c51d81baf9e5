"""Monitors that die, and several at once: one retrain in the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from plumbline.bundle.finding import Verdict
from plumbline.monitoring.metrics import Metrics
from plumbline.monitoring.repair.controller import Controller
from plumbline.store.incident import EventKind, IncidentStatus
from tests.support.control import alert, kinds, wait_for

MONITOR = (sys.executable, "-m", "tests.support.lone_controller")


@pytest.mark.parametrize("job_survives", [True, False])
def test_the_next_monitor_goes_on_where_a_killed_one_stopped(control, metrics, job_survives):
    """It waits for the job it finds, or launches it again: one attempt, one start, either way."""
    control.serve(0)
    control.plan(seed=4, seconds=3)
    first = subprocess.Popen([*MONITOR, str(control.folder)])
    wait_for(lambda: len(control.calls) == 1)
    first.kill()
    first.wait()
    if not job_survives:
        os.killpg(control.job_process().pid, signal.SIGKILL)
    control.plan(seed=4)

    second = control.controller(metrics)
    incident = control.run(
        second, Verdict.FLAT, until=lambda i: i.status is IncidentStatus.WATCHING
    )
    second.close()

    assert len(control.calls) == (1 if job_survives else 2)
    assert incident.attempts == 1
    assert kinds(incident).count(EventKind.RETRAIN_STARTED) == 1


def test_a_stopped_monitor_stops_its_job_and_the_next_one_launches_it_again(control, metrics):
    """The incident says retraining and no process is alive: the same attempt runs again."""
    control.serve(0)
    control.plan(seed=4, seconds=60)
    first = control.controller(metrics)
    control.run(first, Verdict.FLAT, until=lambda _: len(control.calls) == 1)
    first.close()
    control.plan(seed=4)

    second = control.controller(metrics)
    incident = control.run(
        second, Verdict.FLAT, until=lambda i: i.status is IncidentStatus.WATCHING
    )
    second.close()

    assert len(control.calls) == 2
    assert incident.attempts == 1
    assert kinds(incident).count(EventKind.RETRAIN_STARTED) == 1


def test_a_controller_that_died_after_promoting_goes_on_watching(control, controller):
    """The alias names the candidate already: that is no promotion by somebody else."""
    control.serve(0)
    incident = control.run(controller, Verdict.FLAT, until=lambda i: i.candidate is not None)
    head = controller.docket.open[0]
    back = {"status": IncidentStatus.RETRAINING}
    controller.docket.move(head, changes=back)
    incident = control.run(
        controller,
        Verdict.INSUFFICIENT_DATA,
        until=lambda i: i.status is IncidentStatus.WATCHING,
    )

    assert control.registry.alias().value.version == incident.candidate
    assert len(control.registry.history()) == 2


def test_a_thousand_webhooks_and_three_controllers_make_one_retrain(control):
    """At-least-once deliveries in any order, at any controller: one incident, one training."""
    version = control.serve(0)
    control.plan(seed=4, seconds=0.5)
    metrics = [Metrics() for _ in range(3)]
    controllers = [control.controller(each, triggers=("webhook",)) for each in metrics]
    situation = control.situation(Verdict.DOMINANT_ACTION)
    done = threading.Event()

    def deliver(place: int) -> None:
        for number in range(334):
            controllers[place].requests.put(alert(number % 7, version=version))

    def work(controller: Controller) -> None:
        while not done.is_set():
            champion = control.registry.alias()
            served = champion.value.version == version
            controller.step(situation if served else control.situation(Verdict.INSUFFICIENT_DATA))
            time.sleep(0.005)

    threads = [threading.Thread(target=deliver, args=(place,)) for place in range(3)]
    threads += [threading.Thread(target=work, args=(each,)) for each in controllers]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and control.registry.alias().value.version == version:
        time.sleep(0.05)
    for thread in threads[:3]:
        thread.join()
    done.set()
    for thread in threads:
        thread.join()
    for each in controllers:
        each.close()
    launched = [e for i in control.incidents() for e in i.events]

    assert len(control.calls) == 1
    assert len(control.incidents()) == 1
    assert sum(event.kind is EventKind.RETRAIN_STARTED for event in launched) == 1
    assert sum(event.kind is EventKind.WEBHOOK_RECEIVED for event in launched) <= 7
    assert control.registry.alias().value.version != version


def test_when_the_leader_dies_another_controller_takes_over(control, metrics):
    """One acts and one stands by; the lease of a silent leader ends."""
    control.serve(0)
    first, second = control.controller(metrics), control.controller(metrics)

    assert first.step(control.situation(Verdict.HEALTHY))
    assert not second.step(control.situation(Verdict.FLAT))
    assert control.incidents() == []

    time.sleep(1.1)

    assert second.step(control.situation(Verdict.HEALTHY))
    second.close()
