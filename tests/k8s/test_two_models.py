"""Several models in one namespace: nothing of one is taken for the other's."""

from __future__ import annotations

import pytest

from tests.support.manifests import MODEL, build, environment, of_kind, pods

OVERLAY = "overlays/two-models"
MODELS = ("dollar", "euro")
SHARED = {"PersistentVolumeClaim", "Secret", "ServiceMonitor", "PrometheusRule"}
FOR_ALL = ("plumbline-people", "plumbline-dashboard-")

pytestmark = pytest.mark.tools


def test_everything_but_what_is_shared_belongs_to_one_model():
    """Its name ends in the model's, and its label says so."""
    for manifest in build(OVERLAY):
        metadata = manifest["metadata"]
        if manifest["kind"] in SHARED or metadata["name"].startswith(FOR_ALL):
            continue
        model = metadata["labels"][MODEL]

        assert model in MODELS
        if manifest["kind"] != "ConfigMap":
            assert metadata["name"].endswith(f"-{model}")


def test_selectors_take_the_pods_of_one_model():
    """Services and workloads select by the model, so no answer comes from the other."""
    for manifest in of_kind(OVERLAY, "Service", "Deployment").values():
        selector = manifest["spec"]["selector"]
        selector = selector.get("matchLabels", selector)
        found = {
            pod.labels[MODEL] for pod in pods(OVERLAY) if selector.items() <= pod.labels.items()
        }

        assert found == {manifest["metadata"]["labels"][MODEL]}


def test_each_pod_knows_its_own_model():
    """It serves, watches and trains that; and what it asks and uses is that model's."""
    for pod in pods(OVERLAY):
        model = pod.labels[MODEL]
        variables = dict(environment(OVERLAY, pod))
        named = {
            "plumbline-service": "PLUMBLINE_SERVICE_MODELS",
            "plumbline-monitor": "PLUMBLINE_MONITORING_MODEL",
            "plumbline-train": "MODEL",
        }[pod.role]

        assert variables[named] == model
        assert pod.spec["serviceAccountName"].endswith(f"-{model}")
        if pod.role == "plumbline-monitor":
            url = f"http://plumbline-service-{model}:3000"
            assert variables["PLUMBLINE_MONITORING_SERVICE_URL"] == url
            assert variables["RETRAIN"] == f"plumbline-retrain-{model}"


def test_each_alert_goes_to_its_own_monitor():
    """The route asks for the model, and the URL is that of its Service in this namespace."""
    services = of_kind(OVERLAY, "Service")
    for model in MODELS:
        config = of_kind(OVERLAY, "AlertmanagerConfig")[f"plumbline-monitor-{model}"]
        (receiver,) = config["spec"]["receivers"]
        (hook,) = receiver["webhookConfigs"]
        name, namespace = hook["url"].removeprefix("http://").split(".")[:2]

        assert {"name": "model", "value": model} in config["spec"]["route"]["matchers"]
        assert name == f"plumbline-monitor-{model}"
        assert services[name]["metadata"]["namespace"] == namespace
        assert hook["httpConfig"]["authorization"]["credentials"]["name"] in of_kind(
            OVERLAY, "Secret"
        )


def test_a_model_is_one_short_file():
    """The two differ in nothing but their name and what they learn."""
    from tests.support.declared import ROOT

    texts = [
        (ROOT / "k8s" / OVERLAY / model / "kustomization.yaml").read_text() for model in MODELS
    ]

    assert all(len(text.splitlines()) <= 30 for text in texts)
