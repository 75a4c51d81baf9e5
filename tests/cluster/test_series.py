"""What Prometheus gets through the operator: every series that a rule reads, and healthy rules."""

from __future__ import annotations

import json
import re

from tests.support.cluster import until
from tests.support.declared import declared_metrics, rules

AFTER_AN_EVENT = re.compile(
    "refused|dropped|swaps|calls|error|mismatch|incident|attempts|job_|shadow|outcome|skill|repeated"
    "|zero|audit|newest_bar|reference|restarts|discarded|canary|probability|confidence|entropy"
    "|output|decisions|predictions|rows"
)
"""Series that are born with the first event of their kind, or need traffic."""


def test_every_rule_is_healthy(watched):
    """Prometheus evaluates all of ours without an error."""
    wanted = len(rules())

    def evaluated() -> list[dict[str, str]]:
        answer = watched.cluster.http("monitoring", "prometheus-operated", "/api/v1/rules", "web")
        groups = json.loads(answer)["data"]["groups"] if answer else []
        ours = [rule for g in groups if g["name"].startswith("plumbline") for rule in g["rules"]]
        known = [rule for rule in ours if rule["health"] != "unknown"]
        return known if len(known) >= wanted else []

    found, _ = until(evaluated, 300, f"{wanted} evaluated rules")  # the slowest group: 4 min

    assert {rule["name"]: rule["lastError"] for rule in found if rule["health"] != "ok"} == {}


def test_series_come_from_each_pod(watched, note):
    """Each metric that needs no event is there for every pod, with namespace, pod and service."""
    named = " ".join(rule["expr"] for rule in rules())
    wanted = {
        series
        for metric in declared_metrics().values()
        for series in metric.series
        if series in named and not AFTER_AN_EVENT.search(series)
    }

    def present() -> set[str]:
        samples = watched.cluster.query(
            f'count by (__name__) ({{__name__=~"plumbline_.+", namespace="{watched.namespace}",'
            ' pod!="", service!=""})'
        )
        return {sample["metric"]["__name__"] for sample in samples}

    def missing() -> set[str]:
        return wanted - present()

    until(lambda: not missing(), 60, "every series", lambda: str(sorted(missing())))
    note("series of plumbline in Prometheus, with namespace, pod and service", len(present()))

    assert wanted
