"""A hundred thousand requests while everything around them moves: none fails, none is lost."""

from __future__ import annotations

import os
import time

from tests.support.cluster import until
from tests.support.deployment import SERVICE
from tests.support.pod import load, result

REQUESTS = int(os.environ.get("PLUMBLINE_CLUSTER_REQUESTS", "100000"))
SECONDS = 540
CLIENT_NODE = "node-1"


def test_no_request_fails_while_pods_come_and_go(watched, note):
    """A scale from 1 to 2, a rolling update, a drain, a scale to 4 and back to 1, under load."""
    cluster, space = watched.cluster, watched.namespace
    nodes = [node["metadata"]["name"] for node in cluster.get("nodes")["items"]]
    quiet = CLIENT_NODE if CLIENT_NODE in nodes else nodes[0]

    def kubectl(*arguments: str) -> None:
        cluster.kubectl(*arguments, namespace=space, timeout=200)

    def scale(replicas: int) -> None:
        kubectl("scale", "deployment/plumbline-service", f"--replicas={replicas}")
        until(lambda: len(watched.ready(SERVICE)) == replicas, 180, f"{replicas} replicas")

    load(watched, "load", requests=REQUESTS, seconds=SECONDS, node=quiet)
    until(lambda: "ready" in cluster.logs(space, "load"), 180, "the load to begin")
    began, moved = time.monotonic(), []
    scale(2)
    moved.append("1 → 2")
    kubectl("rollout", "restart", "deployment/plumbline-service")
    kubectl("rollout", "status", "deployment/plumbline-service", "--timeout=180s")
    moved.append("rolling update")
    for node in nodes:
        if node != quiet:
            kubectl(
                *("drain", node, "--ignore-daemonsets", "--delete-emptydir-data"),
                *("--pod-selector=app.kubernetes.io/name=plumbline-service", "--timeout=150s"),
            )
            until(lambda: len(watched.ready(SERVICE)) == 2, 150, "two replicas after the drain")
            kubectl("uncordon", node)
            moved.append(f"drain of {node}")
    scale(4)
    scale(1)
    moved.append("→ 4 → 1")
    moving = time.monotonic() - began
    found = result(cluster, space, "load", SECONDS + 240)
    note(
        f"{', '.join(moved)} ({moving:.0f} s) under load, half of the connections new",
        f"{found['failed']} of {found['asked']:,} requests failed; {found['lost']} of"
        f" {found['acknowledged']:,} acknowledged rows lost, {found['doubled']} doubled;"
        f" {found['acknowledged'] / found['seconds']:.0f} a second, p99"
        f" {1000 * found['p99_seconds']:.0f} ms",
    )

    assert found["failed"] == 0, found
    assert (found["lost"], found["doubled"]) == (0, 0), found
    assert moving < found["seconds"], "the load ended before all had moved"
