"""The roads a repair can take, on a real store, with real jobs."""

from __future__ import annotations

import os

import pytest

from plumbline.bundle.finding import Verdict
from plumbline.store.incident import EventKind, IncidentStatus
from tests.support.bundles import small_bundle
from tests.support.control import ENDED, MODEL, kinds, value
from tests.support.monitored import log_rows


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


def test_drift_is_reported_and_nothing_else(control, controller):
    """The incident is a note, closed when it is opened, and written once."""
    control.serve(0)
    for _ in range(3):
        controller.step(control.situation(Verdict.DRIFT))

    assert [incident.ended for incident in control.incidents()] == [True]
    assert control.calls == []


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
