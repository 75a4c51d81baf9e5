"""What a person is called about, and what waits meanwhile."""

from __future__ import annotations

from dataclasses import replace

import pytest

from plumbline.bundle.finding import Remedy, Verdict
from plumbline.store.incident import EventKind, IncidentStatus
from tests.support.control import MODEL, alert, kinds, order, value, wait_for


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
    controller.requests.put(order())
    for _ in range(3):
        controller.step(control.situation(Verdict.FROZEN_FEED))

    assert control.calls == []

    control.run(controller, Verdict.HEALTHY, until=lambda i: i.actor == "ada" and i.attempts == 1)


@pytest.mark.parametrize("verdict", [Verdict.ANTI_SIGNAL, Verdict.UNEXPLAINED])
def test_a_persons_order_goes_through_where_the_inputs_are_sound(control, controller, verdict):
    """Somebody was called about the model: what they order is done, and nothing else is."""
    control.serve(0)
    controller.step(control.situation(verdict))
    called = control.incidents()[0]

    assert called.status is IncidentStatus.CALLED
    assert control.calls == []

    controller.requests.put(order())
    repair = control.run(controller, verdict, until=lambda i: i.status is IncidentStatus.WATCHING)
    controller.step(control.situation(Verdict.HEALTHY))
    first, second = control.incidents()

    assert repair.actor == "ada"
    assert (second.status, len(control.calls)) == (IncidentStatus.RESOLVED, 1)
    assert first.status is IncidentStatus.SUPERSEDED


def test_without_signal_an_order_is_carried_out(control, controller):
    """Outcomes ask for a person under `no_signal`, whose table asks for a refusal."""
    control.serve(0)
    found = control.situation(Verdict.NO_SIGNAL)
    diagnosis = found.diagnosis.model_copy(update={"remedy": Remedy.CALL})
    situation = replace(found, judgement=replace(found.judgement, diagnosis=diagnosis))
    controller.step(situation)

    assert control.incidents()[0].status is IncidentStatus.CALLED

    controller.requests.put(order())
    controller.step(situation)
    wait_for(lambda: bool(control.calls))

    assert [i.actor for i in control.incidents()] == ["verdict", "ada"]


def test_a_faulty_artefact_is_rolled_back_although_the_inputs_are_broken(control, controller):
    """The call about the inputs stays open until the version it was about is gone."""
    healthy = control.serve(7, said=Verdict.HEALTHY)
    control.serve(0)
    controller.step(control.situation(Verdict.FROZEN_FEED))
    fault = {"decided_by": None}
    controller.step(control.situation(Verdict.ARTEFACT_FAULT, **fault))
    called = control.incidents()[0]

    assert (called.verdict, called.status) == (Verdict.FROZEN_FEED, IncidentStatus.CALLED)

    control.run(
        controller,
        Verdict.ARTEFACT_FAULT,
        until=lambda _: control.registry.alias().value.version == healthy,
        **fault,
    )
    controller.step(control.situation(Verdict.INSUFFICIENT_DATA))

    assert [i.status for i in control.incidents()] == [
        IncidentStatus.SUPERSEDED,
        IncidentStatus.WATCHING,
    ]
    assert control.calls == []
