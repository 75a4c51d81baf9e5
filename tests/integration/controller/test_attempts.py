"""Attempts: what is launched, how it may fail, and when a person is called."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from plumbline.bundle.finding import Verdict
from plumbline.store.claim import Claim, claim_of, claimed_keys
from plumbline.store.incident import EventKind, IncidentStatus
from plumbline.store.job_log import JobLogs
from tests.support.control import ENDED, MODEL, kinds, value, wait_for


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
    assert incident.called_for == "attempts_used_up"
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


def test_the_end_of_each_attempts_log_is_kept_with_the_incident(control, controller):
    """Of those that failed too; the claims of incidents that have ended go, and logs of none."""
    control.serve(0)
    logs = JobLogs(control.objects, MODEL)
    logs.keep("0123456789abcdef-1", "of no incident that there is\n")
    claim_of(control.objects, MODEL, "0123456789abcdef-1").advance(Claim(holder="a"), after=0)
    control.plan(crash=True)
    incident = control.run(controller, Verdict.FLAT, **ENDED)

    assert logs.of(incident.id) == dict.fromkeys((1, 2), "training\nout of memory\n")
    assert logs.keys() == [f"{incident.id}-1", f"{incident.id}-2"]
    assert claimed_keys(control.objects, MODEL) == []


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
    assert "--no-checkpoint" in call  # nobody goes on with a retrain
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
