"""The loop, in pods: a collapsed model, a retrain, a promotion, a swap, and what it took."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from plumbline.store.incident import Incident
from plumbline.store.repair_time import repair_time
from tests.support.deployment import SERVICE
from tests.support.drill import drill_script
from tests.support.pod import client, result


@pytest.fixture(scope="module")
def drill(watched):
    """The drill ``always-hold``, carried out by a client pod through the real endpoint."""
    before = restarts(watched)
    client(
        watched.cluster,
        watched.namespace,
        "drill",
        drill_script("always-hold", "eurusd-1h", "plumbline-service"),
        image=watched.image("training"),
        claim="plumbline-store",
    )
    found = result(watched.cluster, watched.namespace, "drill", 600)
    return {**found, "restarts": restarts(watched) - before}


def restarts(deployment) -> int:
    """Return how often containers of the service were started again."""
    pods = deployment.cluster.items("pods", deployment.namespace, SERVICE)
    return sum(c["restartCount"] for pod in pods for c in pod["status"]["containerStatuses"])


def moment(incident, kind: str) -> datetime:
    """Return when something first happened in an incident."""
    return next(
        datetime.fromisoformat(event["time"])
        for event in incident["events"]
        if event["kind"] == kind
    )


def test_one_collapse_is_one_retrain_and_one_promotion(drill):
    """The right verdict, one incident, one attempt, one promotion, closed as recovered."""
    (incident,) = drill["incidents"]
    kinds = [event["kind"] for event in incident["events"]]

    assert drill["verdict"] == "dominant_action", drill
    assert drill["retrains"] == 1
    assert (kinds.count("retrain_started"), kinds.count("promoted")) == (1, 1)
    assert kinds[-1] == "recovered"


def test_nothing_failed_and_nothing_was_lost(drill):
    """Every request was answered, every acknowledged row is in the log, no pod was restarted."""
    assert drill["failed_requests"] == 0
    assert drill["rows_in_log"] == drill["rows_acknowledged"]
    assert drill["restarts"] == 0


def test_the_time_to_repair(drill, note):
    """From the verdict to *recovered*, and from the first faulty row by stages."""
    (incident,) = drill["incidents"]
    whole = (moment(incident, "recovered") - moment(incident, "diagnosed")).total_seconds()
    spent = repair_time(Incident.from_json(json.dumps(incident)))
    stages = ", ".join(line.said for line in spent.lines)
    note("MTTR in pods, verdict → recovered", f"{whole:.0f} s")
    note("from the first faulty row", f"{spent.total:.0f} s: {stages}")
    note("over budget", ", ".join(spent.over) or "no stage")
    note("noticed after", f"{drill['detected_after_predictions']} predictions")

    assert whole < 600


def test_the_alert_fired(drill, watched):
    """Prometheus saw the collapse; test_resolved.py sees the end of it."""
    select = f'alertname="CollapseEvidence", namespace="{watched.namespace}"'

    assert watched.cluster.query(f'max_over_time(ALERTS{{{select}, alertstate="firing"}}[20m])')


def test_alertmanager_reached_the_controller(drill, watched):
    """The webhook was delivered by the operator's own route."""
    page = watched.cluster.http("monitoring", "alertmanager-operated", "/metrics", "web")

    def total(name: str) -> float:
        return sum(
            float(line.rsplit(" ", 1)[1])
            for line in page.splitlines()
            if line.startswith(f"{name}{{") and 'integration="webhook"' in line
        )

    assert total("alertmanager_notifications_total") > 0
    assert total("alertmanager_notifications_failed_total") == 0
