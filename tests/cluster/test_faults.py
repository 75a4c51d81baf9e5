"""Pods, kubelets and nodes die under load: failures are counted, acknowledged rows are there."""

from __future__ import annotations

import time

import pytest

from tests.cluster.conftest import OVERLAYS
from tests.support.cluster import until
from tests.support.deployment import SERVICE, Deployment, overlay
from tests.support.pod import load, result

SPACE = "plumbline-durable"
BROKEN, QUIET = "2", "node-1"
SECONDS, RATE = 75, 30.0


@pytest.fixture(scope="module")
def durable(cluster, images, tmp_path_factory):
    """Two pods with their spools on claims; the namespace is gone afterwards."""
    if cluster.tool is None:
        pytest.skip("breaking nodes needs a cluster of our own")
    path = overlay(OVERLAYS / "durable", images, tmp_path_factory.mktemp("durable"))
    deployment = Deployment(cluster, SPACE, path, images)
    deployment.create_namespace()
    deployment.apply()
    try:
        until(
            lambda: len(deployment.ready(SERVICE)) == 2,
            500,
            "two pods",
            lambda: cluster.describe(SPACE),
        )
        yield deployment
    finally:
        cluster.kubectl("delete", "namespace", SPACE, "--wait=false")


def kill_pod(durable: Deployment) -> None:
    """Force-delete a pod, as somebody in a hurry does."""
    (name, *_) = durable.ready(SERVICE)
    durable.cluster.kubectl(
        *("delete", "pod", name, "--force", "--grace-period=0"), namespace=SPACE
    )


def kill_workers(durable: Deployment) -> None:
    """Kill all processes of a pod but the first, which starts them again."""
    (name, *_) = durable.ready(SERVICE)
    durable.cluster.kubectl(
        *("exec", name, "--", "sh", "-c", "kill -KILL -1"), namespace=SPACE, check=False
    )


def kill_kubelet(durable: Deployment) -> None:
    """Kill a node's kubelet, and start it again."""
    durable.cluster.fault("kill", f"kubelet-{BROKEN}")
    time.sleep(15)
    durable.cluster.fault("start", f"kubelet-{BROKEN}")


def cut_node(durable: Deployment) -> None:
    """Take a node off the network, and put it back."""
    durable.cluster.fault("cut", BROKEN)
    time.sleep(20)
    durable.cluster.fault("heal", BROKEN)


def power_off(durable: Deployment) -> None:
    """Take a node's power away, and give it back."""
    durable.cluster.fault("power-off", BROKEN)
    time.sleep(15)
    durable.cluster.fault("power-on", BROKEN)


@pytest.mark.parametrize(
    "fault", [kill_pod, kill_workers, kill_kubelet, cut_node, power_off], ids=lambda f: f.__name__
)
def test_no_acknowledged_row_is_lost(durable, note, fault):
    """Requests may fail while a node is gone; rows that were acknowledged are in the log, once."""
    cluster = durable.cluster
    load(durable, "load", requests=100_000, seconds=SECONDS, rate=RATE, node=QUIET)
    until(lambda: "ready" in cluster.logs(SPACE, "load"), 180, "the load to begin")
    time.sleep(5)
    fault(durable)
    found = result(cluster, SPACE, "load", SECONDS + 300)
    until(
        lambda: len(durable.ready(SERVICE)) == 2, 240, "both pods", lambda: cluster.describe(SPACE)
    )
    span = (
        f" between second {found['failed_from']} and {found['failed_to']}"
        if found["failed"]
        else ""
    )
    note(
        f"{fault.__name__.replace('_', ' ')}, {RATE:.0f} requests a second, no retries",
        f"{found['failed']} of {found['asked']:,} failed{span}"
        f" ({', '.join(found['failures']) or 'none'}); {found['lost']} of"
        f" {found['acknowledged']:,} acknowledged rows lost, {found['doubled']} doubled",
    )

    assert found["acknowledged"] > 0.5 * found["asked"], found
    assert (found["lost"], found["doubled"]) == (0, 0), found
