"""The control loop on a real store, with real jobs: every road an incident can take."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from plumbline.bundle.finding import Verdict
from plumbline.monitoring.metrics import Metrics
from plumbline.monitoring.repair.controller import Controller
from plumbline.monitoring.repair.request import Request, RequestKind
from plumbline.store.incident import EventKind, IncidentStatus, Origin
from tests.support.bundles import small_bundle
from tests.support.control import MODEL, Control, kinds, value, wait_for
from tests.support.monitored import log_rows

ENDED = {"until": lambda incident: incident.ended}


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


def alert(number: int = 1, *, version: str | None = None, age: float = 0.0) -> Request:
    """Return what a webhook leaves."""
    return Request(
        id=f"{number:016x}",
        kind=RequestKind.WEBHOOK,
        actor="PlumblineCollapse",
        reason="one action",
        version=version,
        received=datetime.now(UTC) - timedelta(seconds=age),
    )


def test_a_collapse_is_retrained_checked_promoted_and_watched(control, controller, metrics):
    """One retrain, from scratch, and the incident is resolved when the new version is well."""
    broken = control.serve(0)
    promoted = {"until": lambda incident: incident.status is IncidentStatus.WATCHING}
    incident = control.run(controller, Verdict.DOMINANT_ACTION, **promoted)
    controller.step(control.situation(Verdict.INSUFFICIENT_DATA, rows=10))
    controller.step(control.situation(Verdict.HEALTHY, rows=49))

    assert control.incidents()[0].status is IncidentStatus.WATCHING

    controller.step(control.situation(Verdict.HEALTHY, rows=50))
    incident = control.incidents()[0]

    assert incident.status is IncidentStatus.RESOLVED
    assert incident.version == broken
    assert control.registry.alias().value.version == incident.candidate != broken
    assert kinds(incident) == [
        EventKind.ALARMED,
        EventKind.DIAGNOSED,
        EventKind.RETRAIN_STARTED,
        EventKind.PROMOTED,
        EventKind.RECOVERED,
    ]
    assert len(control.calls) == 1
    assert "--parent" not in control.calls[0]
    assert (
        value(metrics, "plumbline_monitoring_retrains_total", model=MODEL, result="promoted") == 1
    )
    assert (
        value(metrics, "plumbline_monitoring_calls_total", model=MODEL, reason="attempts_used_up")
        == 0
    )


def test_a_healthy_model_is_left_alone(control, controller):
    """No incident, no job, for every verdict that asks for nothing."""
    control.serve(0)
    for verdict in (Verdict.HEALTHY, Verdict.REGIME, Verdict.INSUFFICIENT_DATA):
        controller.step(control.situation(verdict))

    assert control.incidents() == []
    assert control.calls == []


def test_a_bias_is_refitted_and_never_retrained(control, controller, metrics, monkeypatch):
    """The remedy of a bias shift is `plumbline calibrate`."""
    monkeypatch.setenv("QUICK_TRAIN", str(control.plan_path))
    version = control.serve(0)
    watching = {"until": lambda incident: incident.status is IncidentStatus.WATCHING}
    control.run(controller, Verdict.BIAS_SHIFT, **watching)
    controller.step(control.situation(Verdict.HEALTHY))
    incident = control.incidents()[0]

    assert incident.status is IncidentStatus.RESOLVED
    assert EventKind.RECALIBRATION_STARTED in kinds(incident)
    assert EventKind.RETRAIN_STARTED not in kinds(incident)
    assert [call[0] for call in control.calls] == ["calibrate"]
    assert control.calls[0][control.calls[0].index("--version") + 1] == version
    assert (
        value(metrics, "plumbline_monitoring_recalibrations_total", model=MODEL, result="promoted")
        == 1
    )


@pytest.mark.parametrize(
    "verdict", [Verdict.SCHEMA_SKEW, Verdict.FROZEN_FEED, Verdict.STALE_FEATURES]
)
def test_broken_inputs_page_once_and_never_retrain(control, controller, metrics, verdict):
    """The call stands while the verdict lasts, and is resolved when it clears."""
    control.serve(0)
    for row in range(20):
        controller.step(control.situation(verdict, decided_by=f"row-{row}"))
    incident = control.incidents()[0]

    assert len(control.incidents()) == 1
    assert incident.status is IncidentStatus.CALLED
    assert not incident.ended
    assert (
        value(metrics, "plumbline_monitoring_calls_total", model=MODEL, reason=verdict.value) == 1
    )

    controller.step(control.situation(Verdict.INSUFFICIENT_DATA))
    controller.step(control.situation(Verdict.HEALTHY))
    incident = control.incidents()[0]

    assert incident.status is IncidentStatus.RESOLVED
    assert kinds(incident)[-1] is EventKind.RECOVERED
    assert kinds(incident).count(EventKind.CALLED) == 1
    assert control.calls == []


def test_another_input_fault_is_noted_in_the_same_incident(control, controller):
    """A feed that freezes and is then seen to lack columns is one episode."""
    control.serve(0)
    controller.step(control.situation(Verdict.FROZEN_FEED))
    for _ in range(3):
        controller.step(control.situation(Verdict.SCHEMA_SKEW, decided_by="row-9"))

    assert len(control.incidents()) == 1
    assert kinds(control.incidents()[0]).count(EventKind.DIAGNOSED) == 2


def test_webhooks_and_people_get_no_retrain_while_the_inputs_are_broken(control, controller):
    """A retrain would learn the fault; the order waits until it is gone."""
    control.serve(0)
    controller.requests.put(alert())
    person = alert(2).model_copy(update={"kind": RequestKind.PERSON, "actor": "ada"})
    controller.requests.put(person)
    for _ in range(3):
        controller.step(control.situation(Verdict.FROZEN_FEED))

    assert control.calls == []

    control.run(controller, Verdict.HEALTHY, until=lambda i: i.actor == "ada" and i.attempts == 1)


@pytest.mark.parametrize("name", ["ada", "verdict", "schedule"])
def test_a_person_is_known_by_more_than_a_name(control, controller, name):
    """Whatever somebody calls themselves: an order goes on although the model is well."""
    control.serve(0)
    person = alert(2).model_copy(update={"kind": RequestKind.PERSON, "actor": name})
    controller.requests.put(person)
    incident = control.run(
        controller, Verdict.HEALTHY, until=lambda i: i.status is IncidentStatus.WATCHING
    )

    assert (incident.trigger, incident.actor, incident.origin) == ("person", name, Origin.ORDER)
    assert incident.events[0].request == person.id
    assert controller.requests.pending(datetime.now(UTC)) == ()


def test_a_reason_that_looks_like_a_repair_is_not_one(control, controller):
    """Whose promotion it was is a field of the alias, not the beginning of a sentence."""
    broken = control.serve(0)
    control.plan(seed=5, passed=False)
    incident = control.run(controller, Verdict.FLAT, **ENDED)
    other = control.registry.write(*small_bundle(MODEL, seed=8)).version
    control.registry.promote(other, actor="monitor", reason=f"incident {incident.id}")
    control.plan(seed=6)
    again = control.run(
        controller,
        Verdict.FLAT,
        until=lambda i: i.status is IncidentStatus.WATCHING,
        decided_by="another row",
    )
    moves = [move.value for move in control.registry.history()]

    assert again.version == other != broken
    assert [move.incident for move in moves] == [None, None, again.id]


def test_drift_is_reported_and_nothing_else(control, controller):
    """The incident is a note, closed when it is opened, and written once."""
    control.serve(0)
    for _ in range(3):
        controller.step(control.situation(Verdict.DRIFT))

    assert [incident.ended for incident in control.incidents()] == [True]
    assert control.calls == []


def test_refused_candidates_use_up_the_attempts_and_call_once(control, controller, metrics):
    """Two retrains, one change between them, the champion stays, and no third one ever."""
    broken = control.serve(0)
    control.plan(seed=5, passed=False)
    incident = control.run(controller, Verdict.FLAT, **ENDED)
    for row in range(10):
        controller.step(control.situation(Verdict.FLAT, decided_by=f"later-{row}"))

    assert incident.status is IncidentStatus.CALLED
    assert kinds(incident).count(EventKind.CANDIDATE_REFUSED) == 2
    assert kinds(incident).count(EventKind.CALLED) == 1
    assert len(control.incidents()) == 1
    assert len(control.calls) == 2
    assert control.calls[0] != control.calls[1]
    assert control.registry.alias().value.version == broken
    assert (
        value(metrics, "plumbline_monitoring_calls_total", model=MODEL, reason="attempts_used_up")
        == 1
    )
    assert value(metrics, "plumbline_monitoring_retrains_total", model=MODEL, result="refused") == 2


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        ({"data": {"symbols": ["BTCUSDT"]}}, "its symbols are BTCUSDT, expected EURUSD"),
        ({"data": {"source": "eurusd-1h"}}, "its bars come from eurusd-1h, expected a seeded"),
        ({"interval": 60}, "its bars last 60 s, expected 3600 s"),
    ],
)
def test_a_candidate_of_another_market_is_refused(control, controller, plan, reason):
    """Its gate judged it on its own bars and let it pass; the loop does not."""
    served = control.serve(0)
    control.plan(seed=5, **plan)
    incident = control.run(controller, Verdict.FLAT, **ENDED)
    refused = [e.detail for e in incident.events if e.kind is EventKind.CANDIDATE_REFUSED]

    assert len(refused) == 2
    assert reason in refused[0]
    assert incident.status is IncidentStatus.CALLED
    assert control.registry.alias().value.version == served


def test_a_promotion_ends_the_silence_after_a_call(control, controller):
    """A person who promotes the version again has acted: automation may try again."""
    control.serve(0)
    control.plan(seed=5, passed=False)
    control.run(controller, Verdict.FLAT, **ENDED)
    control.serve(0)
    control.plan(seed=6)
    control.run(
        controller,
        Verdict.FLAT,
        until=lambda i: i.status is IncidentStatus.WATCHING,
        decided_by="after the promotion",
    )

    assert len(control.incidents()) == 2


def test_a_retrain_that_dies_is_tried_again(control, controller, metrics):
    """The reason, with the last words of the job, is in the timeline."""
    control.serve(0)
    control.plan(crash=True)
    incident = control.run(controller, Verdict.FLAT, **ENDED)
    failures = [e.detail for e in incident.events if e.kind is EventKind.ATTEMPT_FAILED]

    assert len(failures) == 2
    assert "exit code 137" in failures[0]
    assert "out of memory" in failures[0]
    assert incident.status is IncidentStatus.CALLED
    assert value(metrics, "plumbline_monitoring_retrains_total", model=MODEL, result="failed") == 2


def test_a_retrain_that_takes_too_long_is_killed(control, metrics):
    """The limit holds, and the process is gone."""
    control.serve(0)
    control.plan(seconds=60)
    controller = control.controller(metrics, job_timeout_seconds=1.0, attempt_limit=1)
    incident = control.run(controller, Verdict.FLAT, **ENDED)
    process = control.job_process()
    controller.close()

    assert "longer than 1 s" in next(
        e.detail for e in incident.events if e.kind is EventKind.ATTEMPT_FAILED
    )
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


def test_a_retrain_that_says_nothing_has_failed(control, controller):
    """An exit code of 0 without a result is no success."""
    control.serve(0)
    control.plan(silent=True)
    incident = control.run(controller, Verdict.FLAT, **ENDED)

    assert kinds(incident).count(EventKind.ATTEMPT_FAILED) == 2


def test_a_candidate_that_collapses_is_rolled_back_once(control, controller, metrics):
    """The newest version that was healthy serves again, a person is called, nothing flaps."""
    healthy = control.serve(7, said=Verdict.HEALTHY)
    broken = control.serve(0, said=Verdict.DOMINANT_ACTION)
    control.run(
        controller, Verdict.DOMINANT_ACTION, until=lambda i: i.status is IncidentStatus.WATCHING
    )
    candidate = control.registry.alias().value.version
    incident = control.run(controller, Verdict.FLAT, decided_by="row-9", **ENDED)
    for row in range(5):
        controller.step(control.situation(Verdict.FLAT, decided_by=f"later-{row}"))

    assert candidate not in (healthy, broken)
    assert len(control.incidents()) == 1
    assert control.registry.alias().value.version == healthy
    assert incident.status is IncidentStatus.CALLED
    assert kinds(incident).count(EventKind.ROLLED_BACK) == 1
    assert kinds(incident).count(EventKind.CALLED) == 1
    assert len(control.registry.history()) == 4
    assert len(control.calls) == 1
    assert (
        value(
            metrics, "plumbline_monitoring_calls_total", model=MODEL, reason="candidate_collapsed"
        )
        == 1
    )


def test_a_candidate_that_collapses_stays_when_nothing_was_ever_healthy(control, controller):
    """There is nothing to go back to: a person is called, and no retrain follows."""
    control.serve(0)
    control.run(controller, Verdict.FLAT, until=lambda i: i.status is IncidentStatus.WATCHING)
    candidate = control.registry.alias().value.version
    incident = control.run(controller, Verdict.FLAT, decided_by="row-9", **ENDED)
    for row in range(5):
        controller.step(control.situation(Verdict.FLAT, decided_by=f"row-{row}"))

    assert incident.status is IncidentStatus.CALLED
    assert control.registry.alias().value.version == candidate
    assert len(control.calls) == 1
    assert len(control.incidents()) == 1


def test_a_faulty_artefact_is_rolled_back(control, controller):
    """No training: the version that was last well serves again and is watched."""
    healthy = control.serve(7, said=Verdict.HEALTHY)
    faulty = control.serve(0)
    fault = {"decided_by": None}
    control.run(
        controller,
        Verdict.ARTEFACT_FAULT,
        until=lambda _: control.registry.alias().value.version == healthy,
        **fault,
    )
    incident = control.run(controller, Verdict.HEALTHY, **ENDED)

    assert incident.status is IncidentStatus.RESOLVED
    assert incident.version == faulty
    assert kinds(incident)[2:] == [EventKind.ROLLED_BACK, EventKind.RECOVERED]
    assert control.calls == []


def test_a_promotion_by_a_person_ends_the_incident_and_its_job(control, controller):
    """What is under way is pointless then: the training is killed."""
    control.serve(0)
    control.plan(seconds=60)
    control.run(controller, Verdict.FLAT, until=lambda _: len(control.calls) == 1)
    control.serve(3)
    incident = control.run(controller, Verdict.INSUFFICIENT_DATA, **ENDED)
    process = control.job_process()

    assert incident.status is IncidentStatus.SUPERSEDED
    assert "a person" in incident.events[-1].detail
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


def test_a_scheduled_retrain_starts_warm_and_a_refusal_calls_nobody(control, metrics):
    """Every so many predictions; when the gate refuses, the champion stays and that is all."""
    champion = control.serve(0)
    control.plan(seed=5, passed=False)
    controller = control.controller(metrics, schedule_predictions=500)
    controller.step(control.situation(Verdict.HEALTHY, rows=499))

    assert control.incidents() == []

    incident = control.run(controller, Verdict.HEALTHY, rows=500, **ENDED)
    controller.step(control.situation(Verdict.HEALTHY, rows=600))
    controller.close()

    assert incident.status is IncidentStatus.RESOLVED
    assert len(control.calls) == 1
    assert control.calls[0][control.calls[0].index("--parent") + 1] == champion
    assert EventKind.CALLED not in kinds(incident)


def test_the_cool_down_keeps_two_incidents_apart(control, metrics):
    """A second incident waits; a restart does not forget when the first retrain was."""
    control.serve(0)
    first = control.controller(metrics, cooldown_seconds=3600.0)
    control.run(first, Verdict.FLAT, until=lambda i: i.status is IncidentStatus.WATCHING)
    first.step(control.situation(Verdict.HEALTHY))
    first.close()
    second = control.controller(metrics, cooldown_seconds=3600.0)
    second.step(control.situation(Verdict.FLAT, decided_by="much later"))

    assert len(control.incidents()) == 1

    control.offset = timedelta(hours=2)
    second.step(control.situation(Verdict.FLAT, decided_by="much later"))
    second.close()

    assert len(control.incidents()) == 2


MONITOR = """
import sys, time
from pathlib import Path
from plumbline.bundle.finding import Verdict
from tests.support.control import Control

control = Control(Path(sys.argv[1]), made=True)
controller = control.controller()
while True:
    controller.step(control.situation(Verdict.FLAT))
    time.sleep(0.02)
"""


@pytest.mark.parametrize("job_survives", [True, False])
def test_the_next_monitor_goes_on_where_a_killed_one_stopped(control, metrics, job_survives):
    """It waits for the job it finds, or launches it again: one attempt, one start, either way."""
    control.serve(0)
    control.plan(seed=4, seconds=3)
    first = subprocess.Popen([sys.executable, "-c", MONITOR, str(control.folder)])
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


def test_a_webhook_alone_starts_nothing(control):
    """The diagnosis decides: an alert about a model that is well is noted nowhere."""
    control.serve(0)
    controller = control.controller(triggers=("webhook",))
    controller.requests.put(alert())
    for verdict in (Verdict.HEALTHY, Verdict.REGIME, Verdict.DRIFT, Verdict.BIAS_SHIFT):
        controller.step(control.situation(verdict))
    controller.close()

    assert control.incidents() == []


def test_late_resolved_and_retired_webhooks_start_nothing(control):
    """About another version, taken back, or older than the patience: none counts."""
    control.serve(0)
    controller = control.controller(triggers=("webhook",), request_patience_seconds=60.0)
    controller.requests.put(alert(1, version="0123456789abcdef"))
    controller.requests.resolve(alert(2).id)
    controller.requests.put(alert(2))
    controller.requests.put(alert(3, age=61))
    controller.step(control.situation(Verdict.FLAT))
    controller.close()

    assert control.incidents() == []


def test_a_retrain_that_flips_the_action_is_an_oscillation(control, metrics):
    """HOLD, retrain, SELL: the third model would be no better, so a person is called."""
    first = control.serve(0)
    log_rows(control.objects, control.registry.open(first), actions=[1] * 200)
    controller = control.controller(metrics)
    control.run(
        controller, Verdict.DOMINANT_ACTION, until=lambda i: i.status is IncidentStatus.WATCHING
    )
    controller.step(control.situation(Verdict.HEALTHY))
    second = control.registry.alias().value.version
    log_rows(control.objects, control.registry.open(second), actions=[0] * 200)
    incident = control.run(controller, Verdict.DOMINANT_ACTION, decided_by="row-2", **ENDED)
    controller.close()

    assert incident.version == second
    assert incident.status is IncidentStatus.CALLED
    assert len(control.calls) == 1
    assert (
        value(metrics, "plumbline_monitoring_calls_total", model=MODEL, reason="oscillating") == 1
    )


def test_a_candidate_the_registry_refuses_counts_as_refused(control, metrics):
    """A job that claims success for a bundle that does not verify changes nothing."""
    champion = control.serve(0)
    control.plan(seed=9, damage=True)
    controller = control.controller(metrics, attempt_limit=1)
    incident = control.run(controller, Verdict.FLAT, **ENDED)
    controller.close()
    refusals = [e.detail for e in incident.events if e.kind is EventKind.CANDIDATE_REFUSED]

    assert len(refusals) == 1
    assert "model.onnx" in refusals[0]
    assert control.registry.alias().value.version == champion


def test_the_job_is_told_which_bars_and_which_live_rows_to_use(control, controller):
    """``--until`` and the live stretch come from what has been seen."""
    control.serve(0)
    until = datetime(2017, 9, 1, 12, tzinfo=UTC)
    live = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
    situation = replace(control.situation(Verdict.FLAT), until=until, live=live)
    controller.step(situation)
    wait_for(lambda: bool(control.calls))
    call = control.calls[0]

    assert call[call.index("--until") + 1] == "2017-09-01T12:00:00Z"
    assert call[call.index("--live-since") + 1] == "2026-01-01T00:00:00Z"
    assert call[call.index("--live-until") + 1] == "2026-01-02T00:00:00Z"


def test_terminating_the_whole_group_ends_the_grandchildren_too(control):
    """A training's own processes die with it."""
    control.serve(0)
    control.plan(seconds=60)
    controller = control.controller()
    control.run(controller, Verdict.FLAT, until=lambda _: len(control.calls) == 1)
    group = control.job_process().pid
    controller.close()

    with pytest.raises(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
