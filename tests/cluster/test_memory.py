"""A training that needs more memory than its limit: a failed attempt with a sentence, no more."""

from __future__ import annotations

import json

from tests.support.cluster import until
from tests.support.deployment import MONITOR

LIMIT = "160Mi"
ORDER = {"actor": "test", "reason": "to see it fail"}
PATCH = [
    {
        "op": "replace",
        "path": f"/spec/jobTemplate/spec/template/spec/containers/0/resources/{kind}/memory",
        "value": LIMIT,
    }
    for kind in ("requests", "limits")
]


def test_too_little_memory_is_a_failed_attempt(watched, note):
    """It is told in the incident, the monitor lives, and the champion goes on serving."""
    cluster, space = watched.cluster, watched.namespace
    (before,) = watched.models()
    patch = ("patch", "cronjob", "plumbline-retrain", "--type=json", f"--patch={json.dumps(PATCH)}")
    cluster.kubectl(*patch, namespace=space)

    def called() -> dict | None:
        found = watched.newest_incident()
        return found if found and found["actor"] == "test" and found["status"] == "called" else None

    try:
        assert watched.post("plumbline-monitor:3001/retrain", ORDER, token="for-development-only")
        incident, _ = until(called, 150, "a person to be called", lambda: cluster.describe(space))
    finally:
        watched.apply()
    failed = [e["detail"] for e in incident["events"] if e["kind"] == "attempt_failed"]
    (monitor,) = cluster.items("pods", space, MONITOR)
    (after,) = watched.models()
    note("a training over its memory limit", failed[0])

    assert len(failed) == incident["attempts"] == 2
    for detail in failed:
        assert detail.startswith(f"killed: it needed more memory than its limit of {LIMIT}"), detail
    assert [each["restartCount"] for each in monitor["status"]["containerStatuses"]] == [0]
    assert after["version"] == before["version"]
