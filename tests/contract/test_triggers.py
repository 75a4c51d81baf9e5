"""What every trigger promises."""

from __future__ import annotations

import pytest

from plumbline.bundle.finding import Remedy, Verdict
from plumbline.monitoring.repair.situation import Situation
from plumbline.monitoring.repair.triggers import TRIGGERS
from plumbline.monitoring.repair.triggers.base import Trigger
from plumbline.monitoring.repair.triggers.schedule import ScheduleTrigger
from plumbline.store.incident import Origin
from plumbline.testing import check_trigger, situation
from plumbline.testing.trigger import NOW

ROUTINES = {"drift": Verdict.DRIFT, "outcome": Verdict.ANTI_SIGNAL}


def build(name: str, **params: object) -> Trigger:
    """Return a trigger; the schedule is switched on."""
    kind = TRIGGERS[name]
    if kind is ScheduleTrigger:
        params = {"every": 100, **params}
    return kind(kind.Params.model_validate(params))


def urgent(name: str) -> Situation:
    """Return a situation in which the trigger asks for a retrain."""
    if name == "schedule":
        return situation(Verdict.HEALTHY, rows=100)
    if name in ROUTINES:
        return situation(ROUTINES[name])
    return situation(Verdict.FLAT, asked=name != "verdict")


@pytest.mark.parametrize("name", sorted(TRIGGERS))
def test_it_keeps_its_promises(name: str) -> None:
    """In the case it is for."""
    parameters = {"every": 100} if name == "schedule" else {}
    check_trigger(TRIGGERS[name], parameters, asking=urgent(name))


def test_only_the_verdict_decides_what_a_webhook_is_worth():
    """An alert starts a retrain when the diagnosis asks for one, and at no other verdict."""
    asking = {
        verdict
        for verdict in Verdict
        if build("webhook").decide(situation(verdict, asked=True), NOW).acts
    }

    assert asking == {v for v in Verdict if v.facts.remedy is Remedy.RETRAIN}


def test_webhook_and_verdict_give_one_cause_one_name():
    """So that both together open one incident."""
    same = situation(Verdict.FLAT, asked=True)
    causes = {build(name).decide(same, NOW).cause for name in ("verdict", "webhook")}

    assert len(causes) == 1


def test_the_verdict_asks_for_its_remedy():
    """Whatever it is, but for those that ask for nothing or belong to a gate."""
    asked = {v: build("verdict").decide(situation(v), NOW).remedy for v in Verdict}
    quiet = {Remedy.NONE, Remedy.REFUSE}

    assert asked == {v: Remedy.NONE if v.facts.remedy in quiet else v.facts.remedy for v in Verdict}


def test_the_schedule_is_off_unless_it_is_switched_on():
    """Every 0 predictions is never."""
    assert not build("schedule", every=0).decide(situation(Verdict.HEALTHY, rows=10**9), NOW).acts


def test_the_schedule_asks_once_in_each_period():
    """The cause names the period, so the same one is not answered twice."""
    trigger = build("schedule", every=100)
    rows = (99, 100, 199, 200)
    causes = [trigger.decide(situation(Verdict.HEALTHY, rows=n), NOW).cause for n in rows]

    assert causes == ["", "schedule|1", "schedule|1", "schedule|2"]


def test_the_schedule_counts_bars_as_well():
    """A thousand symbols ask about one bar a thousand times, and it is one."""
    trigger = build("schedule", every=0, bars=100)
    found = [situation(Verdict.HEALTHY, rows=10**6, bars=bars) for bars in (99, 100, 200)]

    assert [trigger.decide(each, NOW).cause for each in found] == [
        "",
        "schedule|bars|1",
        "schedule|bars|2",
    ]


def test_drift_and_outcomes_ask_only_in_their_own_case():
    """And drift under a name of its own: the report of it is another incident."""
    drift = {v for v in Verdict if build("drift").decide(situation(v), NOW).acts}
    outcome = {v for v in Verdict if build("outcome").decide(situation(v), NOW).acts}
    causes = {build(n).decide(situation(Verdict.DRIFT), NOW).cause for n in ("drift", "verdict")}

    assert drift == {Verdict.DRIFT}
    assert outcome == {Verdict.NO_SIGNAL, Verdict.ANTI_SIGNAL}
    assert len(causes) == 2


@pytest.mark.parametrize("name", sorted(TRIGGERS))
def test_a_decision_says_which_trigger_fired_and_what_it_answers(name):
    """As fields: nothing is read from a sentence or from somebody's name."""
    decision = build(name).decide(urgent(name), NOW)
    routine = dict.fromkeys(("schedule", *ROUTINES), Origin.ROUTINE)
    origin = {"person": Origin.ORDER, **routine}.get(name, Origin.VERDICT)

    assert (decision.trigger, decision.origin) == (name, origin)
    assert (decision.request is not None) == (name in ("person", "webhook"))
