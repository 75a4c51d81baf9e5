"""What every trigger promises."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from plumbline.bundle.finding import Diagnosis, Remedy, Verdict
from plumbline.monitoring.repair.request import Request, RequestKind
from plumbline.monitoring.repair.situation import Situation
from plumbline.monitoring.repair.triggers import TRIGGERS
from plumbline.monitoring.repair.triggers.base import NOTHING, Trigger
from plumbline.monitoring.repair.triggers.schedule import ScheduleTrigger
from plumbline.monitoring.watching.watcher import Judgement
from plumbline.store.incident import Origin
from plumbline.store.pointer import Generation
from plumbline.store.registry import AliasTarget

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
COOLDOWN = timedelta(hours=1)
TARGET = AliasTarget(version="0123456789abcdef", actor="a", reason="r", time=NOW)


def build(name: str, **params: object) -> Trigger:
    """Return a trigger; the schedule is switched on."""
    kind = TRIGGERS[name]
    if kind is ScheduleTrigger:
        params = {"every": 100, **params}
    return kind(kind.Params.model_validate(params))


@pytest.fixture(params=sorted(TRIGGERS))
def name(request) -> str:
    """Each registered trigger."""
    return request.param


def situation(
    verdict: Verdict, *, asked: bool = False, rows: int = 50, **more: object
) -> Situation:
    """Return a situation; ``asked`` adds a webhook and a person."""
    diagnosis = Diagnosis(verdict=verdict, cause="why", n=rows)
    requests = tuple(
        Request(id=f"{n:016x}", kind=kind, actor="ada", reason="please", received=NOW)
        for n, kind in enumerate(RequestKind)
    )
    return Situation(
        model="m",
        champion=Generation(3, TARGET),
        judgement=Judgement(
            diagnosis=diagnosis, decided_by="row-1", detected_after=9, rows=rows, evidence=()
        ),
        requests=requests if asked else (),
        **more,
    )


def urgent(name: str) -> Situation:
    """Return a situation in which the trigger asks for a retrain."""
    if name == "schedule":
        return situation(Verdict.HEALTHY, rows=100)
    return situation(Verdict.FLAT, asked=name != "verdict")


def test_it_is_silent_when_all_is_well(name):
    """Nobody asked, the verdict is healthy, few predictions: nothing."""
    assert build(name).decide(situation(Verdict.HEALTHY), NOW) == NOTHING


def test_it_asks_for_a_retrain_in_its_case(name):
    """With a reason, an actor and a cause."""
    decision = build(name).decide(urgent(name), NOW)

    assert decision.remedy is Remedy.RETRAIN
    assert decision.actor
    assert decision.cause
    assert decision.reason


def test_equal_situations_get_equal_decisions(name):
    """No memory, no side effect: asking twice changes nothing, nor does another instance."""
    trigger = build(name)
    first = trigger.decide(urgent(name), NOW)

    assert trigger.decide(urgent(name), NOW) == first
    assert build(name).decide(urgent(name), NOW + COOLDOWN) == first


def test_the_cool_down_is_kept_to_the_second(name):
    """Silent just before its end, and not after."""
    from dataclasses import replace

    trigger = build(name, cooldown=COOLDOWN)
    recent = replace(urgent(name), last_retrain=NOW)

    assert trigger.decide(recent, NOW + COOLDOWN - timedelta(seconds=1)) == NOTHING
    assert trigger.decide(recent, NOW + COOLDOWN).remedy is Remedy.RETRAIN


@pytest.mark.parametrize("verdict", [v for v in Verdict if v.facts.remedy is Remedy.CALL])
def test_it_never_asks_for_a_retrain_while_the_inputs_are_broken(name, verdict):
    """Whoever asks, and however many predictions there were."""
    decision = build(name).decide(situation(verdict, asked=True, rows=1_000), NOW)

    assert decision.remedy is not Remedy.RETRAIN


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


def test_a_decision_says_which_trigger_fired_and_what_it_answers(name):
    """As fields: nothing is read from a sentence or from somebody's name."""
    decision = build(name).decide(urgent(name), NOW)
    origin = {"person": Origin.ORDER, "schedule": Origin.ROUTINE}.get(name, Origin.VERDICT)

    assert (decision.trigger, decision.origin) == (name, origin)
    assert (decision.request is not None) == (name in ("person", "webhook"))
