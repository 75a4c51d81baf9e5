"""Who may ask for a retrain, and what becomes of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from plumbline.bundle.finding import Verdict
from plumbline.store.incident import EventKind, IncidentStatus, Origin
from tests.support.control import ENDED, alert, kinds, order


@pytest.mark.parametrize("name", ["ada", "verdict", "schedule"])
def test_a_person_is_known_by_more_than_a_name(control, controller, name):
    """Whatever somebody calls themselves: an order goes on although the model is well."""
    control.serve(0)
    person = order(actor=name)
    controller.requests.put(person)
    incident = control.run(
        controller, Verdict.HEALTHY, until=lambda i: i.status is IncidentStatus.WATCHING
    )

    assert (incident.trigger, incident.actor, incident.origin) == ("person", name, Origin.ORDER)
    assert incident.events[0].request == person.id
    assert controller.requests.pending(datetime.now(UTC)) == ()


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
