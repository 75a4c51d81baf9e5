"""Shadow before promotion: every road a candidate can take through it, on a real store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from plumbline.bundle.finding import Verdict
from plumbline.monitoring.metrics import Metrics
from plumbline.monitoring.repair.controller import Controller
from plumbline.monitoring.repair.docket import Docket
from plumbline.monitoring.repair.situation import Situation
from plumbline.monitoring.watching.shadow import ShadowState
from plumbline.store.incident import EventKind, Incident, IncidentStatus
from plumbline.store.registry import CHALLENGER, ModelRegistry
from tests.support.bundles import small_bundle
from tests.support.control import MODEL, Control, judgement, kinds, value
from tests.support.monitored import log_rows
from tests.support.watched import build, stepping, until

FLAT = Verdict.FLAT
SHADOWING = {"until": lambda incident: incident.status is IncidentStatus.SHADOWING}


@pytest.fixture
def control(tmp_path: Path) -> Control:
    """A store whose monitors want a shadow of 200 rows."""
    made = Control(tmp_path, {"shadow_rows": 200})
    made.plan(seed=1, rows=900)
    return made


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


def seen(
    control: Control,
    champion: Verdict,
    challenger: Verdict = Verdict.HEALTHY,
    rows: int = 200,
    **more: object,
) -> Situation:
    """Return the present situation, with what was seen of the version in shadow."""
    head = control.registry.alias(CHALLENGER)
    situation = control.situation(champion)
    if head is None:
        return situation
    state = ShadowState(head, judgement(challenger, rows=rows), **more)
    return replace(situation, shadow=state)


def newest(control: Control) -> Incident:
    """Return the incident opened last."""
    return control.incidents()[-1]


def details(incident: Incident, kind: EventKind) -> list[str]:
    """Return what the timeline says of one kind of event."""
    return [event.detail for event in incident.events if event.kind is kind]


def test_a_candidate_is_promoted_once_it_was_well_in_shadow(control, controller, metrics):
    """Not a row before; the alias says how many there were, and the challenger is retired."""
    broken = control.serve(0)
    incident = control.run(controller, FLAT, **SHADOWING)
    candidate = incident.candidate
    controller.step(seen(control, FLAT, rows=199))

    assert control.registry.alias(CHALLENGER).value.version == candidate
    assert control.registry.alias(CHALLENGER).value.incident == incident.id
    assert control.registry.alias().value.version == broken

    controller.step(seen(control, FLAT, rows=203, pairs=200, agreement=0.25))
    champion = control.registry.alias().value

    assert (champion.version, champion.shadow_rows) == (candidate, 203)
    assert control.registry.alias(CHALLENGER) is None
    assert newest(control).status is IncidentStatus.WATCHING
    assert (
        "healthy after 203 rows in shadow; it does as the champion does in 25%" in champion.reason
    )

    controller.step(control.situation(Verdict.HEALTHY))

    assert newest(control).status is IncidentStatus.RESOLVED
    assert kinds(newest(control)) == [
        EventKind.ALARMED,
        EventKind.DIAGNOSED,
        EventKind.RETRAIN_STARTED,
        EventKind.SHADOW_STARTED,
        EventKind.PROMOTED,
        EventKind.RECOVERED,
    ]
    assert value(metrics, "plumbline_monitoring_shadows_total", model=MODEL, result="promoted") == 1


def test_a_candidate_that_is_broken_in_shadow_is_never_promoted(control, controller, metrics):
    """It uses up an attempt, with the reason in the timeline; after the last a person is called."""
    champion = control.serve(0)
    for attempt in (1, 2):
        control.plan(seed=attempt)
        control.run(controller, FLAT, until=lambda i: i.status is IncidentStatus.SHADOWING)
        controller.step(seen(control, FLAT, Verdict.DOMINANT_ACTION, rows=45))

        assert control.registry.alias(CHALLENGER) is None
        assert newest(control).attempts == attempt
    refusals = details(newest(control), EventKind.CANDIDATE_REFUSED)

    assert newest(control).status is IncidentStatus.CALLED
    assert len(refusals) == 2
    assert "in shadow it was judged dominant_action after 45 rows" in refusals[0]
    assert [move.value.version for move in control.registry.history()] == [champion]
    assert value(metrics, "plumbline_monitoring_shadows_total", model=MODEL, result="refused") == 2
    assert value(metrics, "plumbline_monitoring_retrains_total", model=MODEL, result="refused") == 2


def test_a_shadow_that_is_switched_off_goes_on_record(control):
    """In the timeline, and by the alias, which has no number of rows."""
    control.serve(0)
    controller = control.controller(shadow_rows=0)
    incident = control.run(controller, FLAT, until=lambda i: i.status is IncidentStatus.WATCHING)
    controller.close()

    (promoted,) = details(incident, EventKind.PROMOTED)

    assert promoted.endswith("and serves: shadow is skipped, since `shadow_rows` is 0")
    assert control.registry.alias().value.shadow_rows is None
    assert control.registry.history(CHALLENGER) == []


def test_a_candidate_that_parts_from_the_champion_goes_through_a_shadow_that_is_off(control):
    """The gate found no reason for it, so it must be seen: in so many rows, or not at all."""
    champion = control.serve(0)
    control.plan(seed=1, parted=True)
    controller = control.controller(shadow_rows=0, attempt_limit=1)
    control.run(controller, FLAT, **SHADOWING)
    controller.step(seen(control, FLAT, rows=199))

    assert newest(control).status is IncidentStatus.SHADOWING

    control.offset = timedelta(seconds=901)
    controller.step(seen(control, FLAT, rows=199))
    controller.close()

    assert newest(control).status is IncidentStatus.CALLED
    assert "it parts from the champion" in details(newest(control), EventKind.CANDIDATE_REFUSED)[0]
    assert control.registry.alias().value.version == champion


def test_without_traffic_the_time_runs_out_and_the_promotion_says_so(control, controller):
    """A repair waits for nobody for ever."""
    control.serve(0)
    control.run(controller, FLAT, **SHADOWING)
    control.offset = timedelta(seconds=899)
    controller.step(seen(control, FLAT, Verdict.INSUFFICIENT_DATA, rows=3))

    assert newest(control).status is IncidentStatus.SHADOWING

    control.offset = timedelta(seconds=901)
    controller.step(seen(control, FLAT, Verdict.INSUFFICIENT_DATA, rows=3))

    assert newest(control).status is IncidentStatus.WATCHING
    assert "shadow saw 3 rows in 900 s" in details(newest(control), EventKind.PROMOTED)[0]


def test_broken_inputs_hold_the_shadow_up(control, controller):
    """As they hold everything up: nothing can be said of either version."""
    control.serve(0)
    control.run(controller, FLAT, **SHADOWING)
    controller.step(seen(control, Verdict.SCHEMA_SKEW, Verdict.HEALTHY))

    assert control.incidents()[0].status is IncidentStatus.SHADOWING

    controller.step(seen(control, FLAT, Verdict.SCHEMA_SKEW))

    assert control.incidents()[0].status is IncidentStatus.SHADOWING

    controller.step(seen(control, FLAT, Verdict.HEALTHY))

    assert control.incidents()[0].status is IncidentStatus.WATCHING


class DiedError(Exception):
    """The controller ends here."""


@pytest.mark.parametrize("status", [IncidentStatus.SHADOWING, IncidentStatus.WATCHING])
def test_a_controller_that_dies_between_alias_and_incident_is_gone_on_from(
    control, monkeypatch, status
):
    """The alias has been moved, the incident has not: the next one does not move it again."""
    control.serve(0)
    first = control.controller()
    move = Docket.move

    def dying(docket, head, *events, **how):
        if (how.get("changes") or {}).get("status") is status:
            raise DiedError
        return move(docket, head, *events, **how)

    monkeypatch.setattr(Docket, "move", dying)

    def live() -> None:
        control.run(first, FLAT, **SHADOWING)
        first.step(seen(control, FLAT))

    with pytest.raises(DiedError):
        live()
    monkeypatch.setattr(Docket, "move", move)
    first.close()
    second = control.controller()
    for _ in range(3):
        second.step(seen(control, Verdict.HEALTHY))
    second.close()
    moves = [head.value for head in control.registry.history(CHALLENGER)]

    assert control.incidents()[0].status in (IncidentStatus.WATCHING, IncidentStatus.RESOLVED)
    assert [each.retired for each in moves] == [False, True]
    assert len(control.registry.history()) == 2
    assert len(control.calls) == 1


def test_a_person_may_take_a_candidate_out_of_shadow(control, controller):
    """It counts as refused, by whom and why."""
    champion = control.serve(0)
    control.run(controller, FLAT, **SHADOWING)
    control.registry.retire(actor="anna", reason="I know better")
    controller.step(seen(control, FLAT))

    assert (
        "anna took it out of shadow: I know better"
        in details(newest(control), EventKind.CANDIDATE_REFUSED)[0]
    )
    assert control.registry.alias().value.version == champion


def test_a_promotion_by_a_person_ends_the_shadow_with_the_incident(control, controller):
    """Nobody is left in shadow for an incident that has ended."""
    control.serve(0)
    control.run(controller, FLAT, **SHADOWING)
    control.serve(5)
    controller.step(seen(control, Verdict.HEALTHY, rows=5))

    assert newest(control).status is IncidentStatus.SUPERSEDED
    assert control.registry.alias(CHALLENGER) is None


def put(control: Control, seed: int, **how: object) -> str:
    """Put a version in shadow by hand."""
    version = control.registry.write(*small_bundle(MODEL, seed=seed)).version
    given = {"actor": "anna", "reason": "looks good", "alias": CHALLENGER, **how}
    control.registry.promote(version, **given)
    return version


def test_a_version_that_a_person_put_in_shadow_is_promoted_when_it_is_well(control, controller):
    """Without an incident; the alias says who wanted it."""
    control.serve(0)
    version = put(control, 3)
    controller.step(seen(control, Verdict.HEALTHY, rows=199))

    assert control.registry.alias().value.version != version

    controller.step(seen(control, Verdict.HEALTHY, rows=200))
    champion = control.registry.alias().value

    assert (champion.version, champion.shadow_rows) == (version, 200)
    assert "anna had put it in shadow: looks good" in champion.reason
    assert control.registry.alias(CHALLENGER) is None
    assert control.incidents() == []


def test_a_version_that_a_person_put_in_shadow_is_retired_when_it_is_broken(control, controller):
    """The history of the alias has the reason; the champion stays."""
    champion = control.serve(0)
    put(control, 3)
    controller.step(seen(control, Verdict.HEALTHY, FLAT, rows=60))

    assert control.registry.alias(CHALLENGER) is None
    assert "judged flat" in control.registry.history(CHALLENGER)[-1].value.reason
    assert control.registry.alias().value.version == champion


def test_a_persons_version_goes_first(control, controller):
    """The incident waits until it has left; its own candidate then follows."""
    control.serve(0)
    mine = put(control, 3)
    incident = control.run(controller, FLAT, until=lambda i: i.candidate is not None)
    for _ in range(3):
        controller.step(seen(control, FLAT, rows=10))

    assert newest(control).status is IncidentStatus.RETRAINING
    assert control.registry.alias(CHALLENGER).value.version == mine

    controller.step(seen(control, FLAT, FLAT, rows=60))
    controller.step(seen(control, FLAT))

    assert newest(control).status is IncidentStatus.SHADOWING
    assert control.registry.alias(CHALLENGER).value.version == incident.candidate


def test_the_version_in_shadow_is_judged_by_its_own_rows(control):
    """The same judge as the champion's; agreement and rows are on the page and in the metrics."""
    broken = control.registry.open(control.serve(0))
    with stepping(build(control)) as monitor:
        until(lambda: monitor.status.watch is not None)
        collapsed = control.registry.write(*small_bundle(MODEL, rows=900)).version
        control.registry.promote(collapsed, actor="a person", reason="a longer reference")
        broken = control.registry.open(collapsed)
        until(lambda: monitor.status.watch.version == collapsed)
        log_rows(control.objects, broken, actions=[0] * 250, ago_seconds=-1)
        until(lambda: monitor.status.challenger is not None)
        candidate = control.registry.open(monitor.status.challenger.version)
        given = log_rows(control.objects, broken, actions=[0] * 250, start=250, ago_seconds=-1)
        log_rows(control.objects, candidate, rows=150, ago_seconds=-1, beside=given)
        until(lambda: monitor.status.challenger.rows == 150)
        shadow = monitor.status.challenger
        labels = {"model": MODEL, "version": candidate.version}

        assert shadow.diagnosis.verdict is Verdict.HEALTHY
        assert shadow.pairs == 150
        assert value(monitor.metrics, "plumbline_monitoring_shadow_rows", **labels) == 150
        assert value(
            monitor.metrics, "plumbline_monitoring_shadow_agreement_ratio", **labels
        ) == pytest.approx(shadow.agreement)
        assert control.incidents()[0].status is IncidentStatus.SHADOWING

    with stepping(build(control)) as again:  # in the middle of it
        until(lambda: again.status.challenger is not None and again.status.challenger.rows == 150)
        log_rows(control.objects, candidate, rows=60, start=150, ago_seconds=-1, beside=given[150:])
        until(lambda: control.registry.alias().value.version == candidate.version)
        until(lambda: again.status.challenger is None)
    incident = control.incidents()[0]

    assert incident.status is IncidentStatus.WATCHING
    assert 200 <= control.registry.alias().value.shadow_rows <= 210
    assert len(control.calls) == 1


def test_a_flat_version_in_shadow_is_refused_by_its_own_rows(control):
    """Nobody was answered with any of them."""
    version = control.registry.write(*small_bundle(MODEL, rows=900)).version
    control.registry.promote(version, actor="a person", reason="a test")
    bundle = control.registry.open(version)
    flat = control.registry.open(
        control.registry.write(*small_bundle(MODEL, seed=1, rows=900)).version
    )
    with stepping(build(control)) as monitor:
        until(lambda: monitor.status.watch is not None)
        control.registry.promote(flat.version, actor="anna", reason="try", alias=CHALLENGER)
        until(lambda: monitor.status.challenger is not None)
        given = log_rows(control.objects, bundle, rows=190, ago_seconds=-1)
        log_rows(control.objects, flat, actions=[2] * 190, ago_seconds=-1, beside=given)
        until(lambda: control.registry.alias(CHALLENGER) is None)
        until(lambda: monitor.status.watch.rows == 190)

        assert monitor.status.watch.diagnosis.verdict is Verdict.HEALTHY
    last = ModelRegistry(control.objects, MODEL).history(CHALLENGER)[-1].value

    assert last.retired
    assert "in shadow it was judged flat" in last.reason
    assert control.registry.alias().value.version == version


def test_what_was_seen_before_a_promotion_ends_no_incident(control, controller):
    """A round may bring two verdicts; the second is still about the version before."""
    control.serve(0)
    control.run(controller, FLAT, **SHADOWING)
    before = seen(control, FLAT)
    controller.step(before)
    controller.step(replace(before, judgement=judgement(Verdict.DOMINANT_ACTION)))

    assert newest(control).status is IncidentStatus.WATCHING
    assert len(control.incidents()) == 1
