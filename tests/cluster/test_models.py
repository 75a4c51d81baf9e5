"""Two models in one namespace: each answer, page, alert and incident is its own model's."""

from __future__ import annotations

import time

import pytest

from tests.cluster.conftest import OVERLAYS
from tests.support.cluster import until
from tests.support.deployment import Deployment, overlay
from tests.support.drill import drill_script
from tests.support.pod import client, result

SPACE = "plumbline-models"
FROZEN_SECONDS = 60.0


@pytest.fixture(scope="module")
def models(cluster, images, tmp_path_factory):
    """Two models in one namespace, trained and served; the namespace is gone afterwards."""
    path = overlay(OVERLAYS / "models", images, tmp_path_factory.mktemp("models"))
    deployment = Deployment(cluster, SPACE, path, images)
    deployment.create_namespace()
    deployment.apply()
    try:
        for model in ("euro", "dollar"):
            until(
                lambda model=model: deployment.ask(f"plumbline-service-{model}"),
                500,
                f"an answer of {model}",
                lambda: cluster.describe(SPACE),
            )
        yield deployment
    finally:
        cluster.kubectl("delete", "namespace", SPACE, "--wait=false")


@pytest.fixture(scope="module")
def collapsed(models):
    """The drill ``always-hold`` on the first model, through its real endpoint.

    As soon as its retrain is there the API server is frozen for a minute, where it is ours.
    """
    client(
        models.cluster,
        SPACE,
        "drill",
        drill_script("always-hold", "euro", "plumbline-service-euro"),
        image=models.image("training"),
        claim="plumbline-store",
    )
    until(models.retrains, 300, "a retrain", lambda: models.cluster.describe(SPACE))
    if models.cluster.tool:
        models.cluster.fault("stop", "kube-apiserver")
        time.sleep(FROZEN_SECONDS)
        models.cluster.fault("continue", "kube-apiserver")
    return result(models.cluster, SPACE, "drill", 500)


def test_each_service_answers_for_its_model(models):
    """A Service reaches the pods of its own model alone."""
    for model in ("euro", "dollar"):
        (served,) = models.models(f"plumbline-service-{model}")

        assert served["name"] == model


def test_a_fault_of_one_is_no_fault_of_the_other(models, collapsed, note):
    """Incident, alert and new version are of the model that collapsed; the other has none."""
    query = models.cluster.query
    alerts = (
        f'max_over_time(ALERTS{{namespace="{SPACE}", alertname="CollapseEvidence",'
        ' alertstate="firing"}[15m])'
    )
    incidents = f'sum by (model) (plumbline_monitoring_incidents_total{{namespace="{SPACE}"}}) > 0'
    until(lambda: query(alerts), 60, "an alert")
    about = {sample["metric"]["model"] for sample in query(alerts)}
    having = {sample["metric"]["model"] for sample in query(incidents)}
    generations = {
        model: models.models(f"plumbline-service-{model}")[0]["generation"]
        for model in ("euro", "dollar")
    }
    note(
        "two models in one namespace, euro collapses",
        f"alert and incident of {', '.join(sorted(about | having))}; promotions in all:"
        f" {generations}",
    )

    assert collapsed["verdict"] == "dominant_action", collapsed
    assert collapsed["retrains"] == 1
    assert about == having == {"euro"}
    assert generations == {"euro": 3, "dollar": 1}  # the first, the broken one, the retrained one


def test_a_frozen_api_server_delays_and_doubles_nothing(models, collapsed, note):
    """Frozen for a minute in the middle, with two monitors: one Job, one promotion."""
    if models.cluster.tool is None:
        pytest.skip("nobody freezes the API server of somebody else's cluster")
    (incident,) = collapsed["incidents"]
    kinds = [event["kind"] for event in incident["events"]]
    note(
        f"API server frozen for {FROZEN_SECONDS:.0f} s during the retrain, two monitors",
        f"{len(models.retrains(incident['id']))} Job, {kinds.count('promoted')} promotion,"
        f" {collapsed['failed_requests']} of {collapsed['requests']:,} requests failed",
    )

    assert len(models.retrains(incident["id"])) == 1
    assert (kinds.count("retrain_started"), kinds.count("promoted")) == (1, 1)
    assert kinds[-1] == "recovered"
    assert collapsed["rows_in_log"] == collapsed["rows_acknowledged"]
