"""The autoscaler on requests in flight, through ``custom.metrics.k8s.io``."""

from __future__ import annotations

import json
from dataclasses import replace

from tests.cluster.conftest import OVERLAYS
from tests.support.cluster import until
from tests.support.deployment import SERVICE, Deployment, overlay
from tests.support.pod import end_load, load, result

METRIC = "plumbline_service_requests_in_flight"


def metric_known(deployment: Deployment) -> bool:
    """Whether the metrics API has a value for each serving pod."""
    url = f"/apis/custom.metrics.k8s.io/v1beta1/namespaces/{deployment.namespace}/pods/*/{METRIC}"
    answer = deployment.cluster.kubectl("get", "--raw", url, check=False)
    found = {
        item["describedObject"]["name"] for item in json.loads(answer or "{}").get("items", ())
    }
    return found >= set(deployment.ready(SERVICE)) != set()


def test_it_follows_the_load(watched, images, tmp_path, note):
    """From one pod to three under load and back, and no request fails on the way."""
    cluster, space = watched.cluster, watched.namespace
    scaled = replace(watched, path=overlay(OVERLAYS / "autoscaled", images, tmp_path))
    until(lambda: metric_known(watched), 90, f"{METRIC} in the metrics API")
    scaled.apply()
    load(scaled, "crowd", requests=1_000_000, seconds=300, workers=16)
    until(lambda: "ready" in cluster.logs(space, "crowd"), 180, "the load to begin")

    def seen(pods: int) -> bool:
        return len(scaled.ready(SERVICE)) == pods

    def told() -> str:
        return cluster.kubectl("describe", "hpa", namespace=space)

    try:
        _, up = until(lambda: seen(3), 140, "three pods", told)
        end_load(cluster, space, "crowd")
        found = result(cluster, space, "crowd", 200)
        _, down = until(lambda: seen(1), 240, "one pod again", told)
    finally:
        cluster.kubectl("delete", "hpa", "plumbline-service", namespace=space)
    note(
        "autoscaler on requests in flight: 1 → 3 → 1",
        f"{up:.0f} s up, {down:.0f} s down after the load; {found['failed']} of"
        f" {found['asked']:,} failed, {found['lost']} rows lost",
    )

    assert found["failed"] == 0, found
    assert found["lost"] == 0, found
