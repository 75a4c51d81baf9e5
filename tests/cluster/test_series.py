"""What Prometheus gets through the operator: every series that a rule or a panel reads, by pod."""

from __future__ import annotations

import json

import pytest

from tests.support.cluster import until
from tests.support.dashboards import NAMES, named, questions
from tests.support.declared import declared_metrics, rules
from tests.support.deployment import MONITOR, SERVICE

_OUTCOMES = "outcomes of more bars than one version has answered here"
ABSENT = {
    "plumbline_monitoring_errors_total": "a round of the monitor that fails",
    "plumbline_monitoring_person_awaited": "an incident that only a person can end",
    "plumbline_monitoring_recalibrations_total": "a shifted bias",
    "plumbline_monitoring_recomputations_total": "torch, which the monitor's image lacks",
    "plumbline_monitoring_skill_evidence_nats": _OUTCOMES,
    "plumbline_monitoring_skill_threshold_nats": _OUTCOMES,
    "plumbline_monitoring_skill_value": _OUTCOMES,
}
"""Series that may be missing, since they are born with what need not happen here: with what."""

SINCE = "1h"


def used() -> set[str]:
    """Return the series of ours that a rule or a panel of a dashboard reads."""
    asked = [rule["expr"] for rule in rules()]
    asked += [question.expression for name in NAMES for question in questions(name)]
    ours = {series for metric in declared_metrics().values() for series in metric.series}
    return ours & {word for expression in asked for word in named(expression)}


@pytest.fixture(scope="module")
def pods(watched) -> dict[str, set[str]]:
    """The pods that expose each series that is used, since the tests began.

    By now a model has collapsed and was retrained; what is left to happen happens here: a request
    that is refused, and an outcome.
    """
    assert watched.post("plumbline-service:3000/predict", {"instances": "none"}) is None
    answer = watched.ask()
    assert answer is not None
    outcome = {"prediction_id": answer["predictions"][0]["prediction_id"], "label": "HOLD"}
    assert watched.post("plumbline-service:3000/outcomes", {"outcomes": [outcome]})
    found: dict[str, set[str]] = {}

    def missing() -> set[str]:
        selector = f'namespace="{watched.namespace}", pod!="", service=~"plumbline-.+"'
        samples = watched.cluster.query(
            "count by (__name__, pod) (last_over_time"
            f'({{__name__=~"plumbline_.+|process_.+", {selector}}}[{SINCE}]))'
        )
        for sample in samples:
            found.setdefault(sample["metric"]["__name__"], set()).add(sample["metric"]["pod"])
        return used() - found.keys() - ABSENT.keys()

    until(lambda: not missing(), 60, "every series", lambda: str(sorted(missing())))
    return found


def test_every_rule_is_healthy(watched, note):
    """Prometheus evaluates all of ours without an error."""
    wanted = len(rules())

    def evaluated() -> list[dict[str, str]]:
        answer = watched.cluster.http("monitoring", "prometheus-operated", "/api/v1/rules", "web")
        groups = json.loads(answer)["data"]["groups"] if answer else []
        ours = [rule for g in groups if g["name"].startswith("plumbline") for rule in g["rules"]]
        known = [rule for rule in ours if rule["health"] != "unknown"]
        return known if len(known) >= wanted else []

    found, _ = until(evaluated, 300, f"{wanted} evaluated rules")  # the slowest group: 4 min
    note("rules of ours in Prometheus, all healthy", len(found))

    assert {rule["name"]: rule["lastError"] for rule in found if rule["health"] != "ok"} == {}


def test_every_series_comes_from_its_pods(watched, pods, note):
    """With namespace, pod and service: those of the service from each, the monitor's from it."""
    serving, watching = watched.ready(SERVICE), watched.ready(MONITOR)
    note(
        "series names that rules and panels read, each with namespace, pod and service",
        f"{len(used() & pods.keys())} of {len(used())}",
    )

    assert serving
    assert ABSENT.keys() <= used()
    for series in used() & pods.keys():
        kinds = {pod.rsplit("-", 2)[0] for pod in pods[series]}
        if series.startswith("plumbline_service_"):
            assert kinds == {"plumbline-service"}, series
        elif series.startswith("plumbline_monitoring_"):
            assert kinds == {"plumbline-monitor"}, series
        else:
            assert pods[series] >= {*serving, *watching}, series
