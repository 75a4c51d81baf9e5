"""Pods, nodes and the store fail under load: failures are counted, acknowledged rows are there.

One load for all of them, so that a row is looked for after everything that could have lost it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.bucket import STORE, bucket_environment
from tests.support.cluster import until
from tests.support.deployment import SERVICE, Deployment
from tests.support.pod import end_load, load, result

BROKEN, QUIET = "2", "node-1"
RATE = 30.0
SETTLING_SECONDS = 5.0


def kill_pod(durable: Deployment) -> None:
    """Force-delete a pod, as somebody in a hurry does."""
    (name, *_) = durable.ready(SERVICE)
    durable.cluster.kubectl(
        *("delete", "pod", name, "--force", "--grace-period=0"), namespace=durable.namespace
    )


def kill_workers(durable: Deployment) -> None:
    """Kill all processes of a pod but the first, which starts them again."""
    (name, *_) = durable.ready(SERVICE)
    command = ("exec", name, "--", "sh", "-c", "kill -KILL -1")
    durable.cluster.kubectl(*command, namespace=durable.namespace, check=False)
    time.sleep(10)


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


def store_away(durable: Deployment) -> None:
    """The bucket does not answer; rows wait in the spool."""
    with durable.bucket.away():
        time.sleep(20)


def power_off(durable: Deployment) -> None:
    """Take a node's power away, and give it back."""
    durable.cluster.fault("power-off", BROKEN)
    time.sleep(15)
    durable.cluster.fault("power-on", BROKEN)


FAULTS = (kill_pod, kill_workers, kill_kubelet, cut_node, store_away, power_off)


@dataclass(frozen=True)
class Told:
    """When each fault began, by name, and what the load says of it all."""

    began: dict[str, float]
    found: dict[str, Any]

    def during(self, fault: str) -> tuple[int, int, float]:
        """Return answered and failed requests until the next fault, and for how long any failed."""
        start = int(self.began[fault])
        later = [int(moment) for moment in self.began.values() if moment > self.began[fault]]
        seconds = {int(second): counts for second, counts in self.found["timeline"].items()}
        mine = {s: counts for s, counts in seconds.items() if start <= s < min(later)}
        failing = [second for second, (_, failed) in mine.items() if failed]
        answered, failed = (sum(counts[i] for counts in mine.values()) for i in (0, 1))
        return answered, failed, max(failing) + 1 - min(failing) if failing else 0


@pytest.fixture(scope="module")
def told(durable) -> Told:
    """A load through all faults, one after another, each over before the next begins."""
    cluster, space, began = durable.cluster, durable.namespace, {}
    load(
        *(durable, "load"),
        requests=100_000,
        seconds=900,
        rate=RATE,
        node=QUIET,
        store=STORE,
        environment=bucket_environment(),
    )
    until(lambda: "ready" in cluster.logs(space, "load"), 180, "the load to begin")
    time.sleep(SETTLING_SECONDS)
    for fault in FAULTS:
        began[fault.__name__] = time.time()
        fault(durable)
        time.sleep(SETTLING_SECONDS)
        until(
            *(lambda: len(durable.ready(SERVICE)) == 2, 240, f"both pods after {fault.__name__}"),
            lambda: cluster.describe(space),
        )
    began["end"] = time.time()
    end_load(cluster, space, "load")
    return Told(began, result(cluster, space, "load", 200))


@pytest.mark.parametrize("fault", [fault.__name__ for fault in FAULTS])
def test_failures_end(told, note, fault):
    """Requests may fail while a pod or a node is gone; most do not."""
    answered, failed, seconds = told.during(fault)
    note(
        f"{fault.replace('_', ' ')}, {RATE:.0f} requests a second, no retries",
        f"{failed} of {answered + failed:,} failed" + (f" within {seconds} s" if failed else ""),
    )

    assert answered > failed


def test_a_store_that_is_away_fails_no_request(told):
    """Acknowledged rows are safe in the spool, so there is no reason to refuse any."""
    assert told.during("store_away")[1] == 0


def test_no_acknowledged_row_is_lost(told, note):
    """After all of it, rows that were acknowledged are in the log, once."""
    found = told.found
    note(
        "acknowledged rows after all of these",
        f"{found['in_log']:,} of {found['acknowledged']:,} in the log, {found['lost']} lost,"
        f" {found['doubled']} doubled; failures: {', '.join(found['failures']) or 'none'}",
    )

    assert (found["lost"], found["doubled"]) == (0, 0), found
