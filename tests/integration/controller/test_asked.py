"""Who may ask for a retrain, and what becomes of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from plumbline.bundle.finding import Verdict
from plumbline.store.incident import EventKind, IncidentStatus, Origin
from tests.support.control import ENDED, MODEL, alert, kinds, order, value


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


@pytest.mark.parametrize(
    ("trigger", "verdict"), [("drift", Verdict.DRIFT), ("outcome", Verdict.ANTI_SIGNAL)]
)
def test_a_routine_retrain_has_one_attempt_and_its_refusal_calls_nobody(
    control, metrics, trigger, verdict
):
    """It is off unless it is named; what the verdict itself asks for is done beside it."""
    champion = control.serve(0)
    control.plan(seed=5, passed=False)
    controller = control.controller(metrics, triggers=("verdict", trigger))
    control.run(controller, verdict, until=lambda i: i.actor == trigger and i.ended)
    for _ in range(5):
        controller.step(control.situation(verdict))
    controller.close()
    mine = [i for i in control.incidents() if i.actor == trigger]

    assert [i.status for i in mine] == [IncidentStatus.RESOLVED]
    assert len(control.calls) == 1
    assert ("--parent" in control.calls[0]) is (verdict is Verdict.DRIFT)
    assert control.registry.alias().value.version == champion
    assert value(
        metrics, "plumbline_monitoring_calls_total", model=MODEL, reason=verdict.value
    ) == (verdict is Verdict.ANTI_SIGNAL)


def test_after_a_days_budget_a_person_is_called_and_orders_go_on(control, metrics):
    """Twenty-four hours later it begins anew; a restart forgets nothing."""
    control.serve(0)
    control.plan(seed=5, passed=False)
    first = control.controller(metrics, retrains_per_day=2)
    control.run(first, Verdict.FLAT, **ENDED)
    first.close()
    control.serve(3)
    second = control.controller(metrics, retrains_per_day=2)
    stopped = control.run(second, Verdict.FLAT, decided_by="row-2", **ENDED)

    assert len(control.calls) == 2
    assert (stopped.attempts, stopped.status) == (0, IncidentStatus.CALLED)
    assert stopped.events[-1].detail == "2 retrains in 24 hours, as many as are allowed"
    called = {"model": MODEL, "reason": "budget_used_up"}
    assert value(metrics, "plumbline_monitoring_calls_total", **called) == 1

    second.requests.put(order())
    control.run(second, Verdict.HEALTHY, until=lambda i: i.actor == "ada" and i.attempts == 1)
    control.offset = timedelta(hours=25)
    control.serve(4)
    control.run(second, Verdict.FLAT, decided_by="row-3", until=lambda i: i.attempts == 2)
    second.close()


def test_a_scheduled_retrain_is_left_out_when_the_budget_is_used_up(control, metrics):
    """Nobody is called for that."""
    control.serve(0)
    control.plan(seed=5, passed=False)
    controller = control.controller(metrics, schedule_predictions=500, retrains_per_day=1)
    control.run(controller, Verdict.HEALTHY, rows=500, **ENDED)
    left_out = control.run(
        controller, Verdict.HEALTHY, rows=1_000, until=lambda i: i.ended and i.attempts == 0
    )
    controller.close()

    assert left_out.status is IncidentStatus.RESOLVED
    assert "the champion stays" in left_out.events[-1].detail
    assert len(control.calls) == 1
