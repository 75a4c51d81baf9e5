"""The loop while its leader is killed and its store is away: one Job, one promotion."""

from __future__ import annotations

import time

import pytest

from tests.cluster.conftest import DURABLE
from tests.support.bucket import STORE, bucket_environment
from tests.support.cluster import until
from tests.support.drill import drill_script
from tests.support.pod import client, result

AWAY_SECONDS = 30.0
MODEL = "eurusd-1h"


@pytest.fixture(scope="module")
def drill(durable):
    """A collapse; as soon as its retrain is there, both happen. The client's own way stays open."""
    cluster = durable.cluster
    client(
        cluster,
        DURABLE,
        "drill",
        drill_script("always-hold", MODEL, "plumbline-service", STORE),
        image=durable.image("training"),
        environment=bucket_environment(),
    )
    until(durable.retrains, 300, "a retrain", lambda: cluster.describe(DURABLE))
    killed = durable.leader(MODEL)
    assert killed
    cluster.kubectl("delete", "pod", killed, "--force", "--grace-period=0", namespace=DURABLE)
    with durable.bucket.away():
        time.sleep(AWAY_SECONDS)
    return result(cluster, DURABLE, "drill", 600)


def test_nothing_is_done_twice(durable, drill, note):
    """Whoever leads next finds the Job, follows it and promotes what it made, once."""
    (incident,) = drill["incidents"]
    kinds = [event["kind"] for event in incident["events"]]
    note(
        f"the leading monitor killed and the bucket away for {AWAY_SECONDS:.0f} s in the retrain",
        f"{len(durable.retrains(incident['id']))} Job, {kinds.count('promoted')} promotion,"
        f" {drill['failed_requests']} of {drill['requests']:,} requests failed;"
        f" verdict → recovered {drill['recovered_seconds']:.0f} s",
    )

    assert len(durable.retrains(incident["id"])) == 1
    assert (kinds.count("retrain_started"), kinds.count("promoted")) == (1, 1)
    assert kinds[-1] == "recovered"


def test_clients_noticed_nothing(drill):
    """The service answers and keeps its rows meanwhile; all are in the log afterwards."""
    assert drill["failed_requests"] == 0
    assert drill["rows_in_log"] == drill["rows_acknowledged"]
