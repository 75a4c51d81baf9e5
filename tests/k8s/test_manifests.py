"""The manifests: they build, the schemas hold, and every name in them exists in the code."""

from __future__ import annotations

import json
import re

import jsonschema
import kubernetes_validate
import pytest
import yaml

from tests.support.declared import ROOT, RULES, declared_metrics
from tests.support.manifests import (
    OVERLAYS,
    WORKLOADS,
    build,
    environment,
    of_kind,
    pods,
    the_pod,
)

KUBERNETES = "1.32"
OPERATOR = "monitoring.coreos.com/"
SCHEMAS = json.loads((ROOT / "tests" / "k8s" / "operator_schemas.json").read_text())
OF_CLOUDS = {"AWS_REGION", "AWS_ENDPOINT", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
OF_MANIFESTS = {"SERVICE", "RETRAIN", "MODEL", "CONFIG"}
"""Variables by which a manifest says something to itself."""

pytestmark = pytest.mark.tools


@pytest.fixture(params=OVERLAYS)
def overlay(request):
    """Each folder somebody may apply."""
    return request.param


def test_schemas_hold(overlay):
    """Every object is one the API server or the operator would take; unknown fields are errors."""
    for manifest in build(overlay):
        if manifest["apiVersion"].startswith(OPERATOR):
            jsonschema.validate(manifest, SCHEMAS[manifest["kind"]])
        else:
            kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def test_the_operator_schemas_refuse_a_misspelt_field():
    """The hand-written schemas are strict too."""
    of_operator = [m for m in build("overlays/prod") if m["apiVersion"].startswith(OPERATOR)]

    assert {manifest["kind"] for manifest in of_operator} == set(SCHEMAS)
    for manifest in of_operator:
        wrong = {**manifest, "spec": {**manifest["spec"], "intervall": "15s"}}
        with pytest.raises(jsonschema.ValidationError, match="intervall"):
            jsonschema.validate(wrong, SCHEMAS[manifest["kind"]])


@pytest.mark.parametrize("overlay", ["base", "overlays/dev"])
def test_a_bare_cluster_will_do(overlay):
    """Nothing is there that only an operator or an adapter would understand."""
    built_in = {"", "apps", "batch", "policy", "rbac.authorization.k8s.io"}
    groups = {manifest["apiVersion"].rpartition("/")[0] for manifest in build(overlay)}

    assert groups <= built_in


def test_the_operator_gets_the_same_rules():
    """The PrometheusRule holds the groups of the rule file; its header says how to renew it."""
    groups = of_kind("overlays/prod", "PrometheusRule")["plumbline"]["spec"]["groups"]

    assert groups == yaml.safe_load(RULES.read_text())["groups"]


def test_names_are_unique(overlay):
    """No object overwrites another one."""
    names = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in build(overlay)]

    assert len(names) == len(set(names))


def test_everything_refers_to_what_is_there(overlay):
    """Accounts, settings and claims; secrets are made elsewhere, but for those of an example."""
    claims = set(of_kind(overlay, "PersistentVolumeClaim"))
    for pod in pods(overlay):
        volumes = pod.spec["volumes"]
        sources = pod.container["envFrom"]
        maps = {source["configMapRef"]["name"] for source in sources if "configMapRef" in source}
        maps |= {volume["configMap"]["name"] for volume in volumes if "configMap" in volume}
        claimed = {
            volume["persistentVolumeClaim"]["claimName"]
            for volume in volumes
            if "persistentVolumeClaim" in volume
        }
        mounted = {mount["name"] for mount in pod.container["volumeMounts"]}

        assert pod.spec["serviceAccountName"] in of_kind(overlay, "ServiceAccount")
        assert maps <= set(of_kind(overlay, "ConfigMap"))
        assert claimed <= claims
        assert mounted == {volume["name"] for volume in volumes} | set(pod.claims)


def test_pods_are_restricted(overlay):
    """The Pod Security Standard *restricted* holds, the root is read-only, memory is bounded."""
    for pod in pods(overlay):
        assert pod.spec["securityContext"]["runAsNonRoot"] is True
        assert pod.spec["securityContext"]["runAsUser"] == 10001
        assert pod.spec["securityContext"]["fsGroup"] == 10001
        assert pod.spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod.spec)
        assert pod.container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        resources = pod.container["resources"]
        assert resources["requests"]["memory"] == resources["limits"]["memory"]


def test_scratch_space_is_bounded(overlay):
    """Volumes are bounded scratch space, claims or settings, and fit into what the pod may use."""
    for pod in pods(overlay):
        scratch = [volume["emptyDir"] for volume in pod.spec["volumes"] if "emptyDir" in volume]
        limit = pod.container["resources"]["limits"]["ephemeral-storage"]

        assert sum(mebibytes(volume["sizeLimit"]) for volume in scratch) <= mebibytes(limit)


def test_dev_fits_a_small_node():
    """All of it beside a retrain, and a second service in the middle of a rolling update."""
    roles = [
        the_pod("overlays/dev", f"plumbline-{name}") for name in ("service", "monitor", "retrain")
    ]
    asked = [pod.container["resources"]["requests"] for pod in [roles[0], *roles]]
    memory = sum(mebibytes(requests["memory"]) for requests in asked)

    assert sum(cores(requests["cpu"]) for requests in asked) <= 2 - 0.2
    assert memory <= 4096 - 200 - 70, "what the kubelet keeps free, and the cluster's DNS"


def test_only_the_monitor_holds_a_token(overlay):
    """Nobody else can talk to the cluster, and the monitor only about retrains."""
    tokens = {pod.role for pod in pods(overlay) if pod.spec["automountServiceAccountToken"]}
    accounts = of_kind(overlay, "ServiceAccount")

    assert tokens == {"plumbline-monitor"}
    assert all(not account["automountServiceAccountToken"] for account in accounts.values())
    for role in of_kind(overlay, "Role").values():
        allowed = {(rule["resources"][0], *rule["verbs"]) for rule in role["rules"]}
        assert allowed == {
            ("cronjobs", "get"),
            ("jobs", "create", "get", "list", "watch", "delete"),
            ("pods", "get", "list"),
            ("pods/log", "get"),
        }


def test_the_template_of_retrains_is_one(overlay):
    """It runs nothing by itself, and the monitor may read that one and no other."""
    templates = of_kind(overlay, "CronJob")
    named = [
        name
        for role in of_kind(overlay, "Role").values()
        for rule in role["rules"]
        for name in rule.get("resourceNames", ())
    ]

    assert all(template["spec"]["suspend"] for template in templates.values())
    assert sorted(named) == sorted(templates)
    for pod in pods(overlay):
        if pod.role == "plumbline-monitor":
            variables = dict(environment(overlay, pod))
            host = variables["PLUMBLINE_MONITORING_SERVICE_URL"].split("/")[2].split(":")[0]
            assert variables["RETRAIN"] in templates
            assert host in of_kind(overlay, "Service")


def test_no_service_links(overlay):
    """Kubernetes must not inject PLUMBLINE_SERVICE_PORT=tcp://…, which reads as a setting."""
    assert all(pod.spec["enableServiceLinks"] is False for pod in pods(overlay))


def test_every_variable_is_a_setting(overlay):
    """A misspelt variable would stop the pod at start-up; here it stops the change."""
    from plumbline.monitoring.settings import PREFIX as MONITORING
    from plumbline.monitoring.settings import MonitoringSettings
    from plumbline.service.settings import PREFIX as SERVICE
    from plumbline.service.settings import ServiceSettings

    known = {SERVICE + field.upper() for field in ServiceSettings.model_fields}
    known |= {MONITORING + field.upper() for field in MonitoringSettings.model_fields}
    for pod in pods(overlay):
        for name, _ in environment(overlay, pod):
            assert name in known | OF_CLOUDS | OF_MANIFESTS | {"PLUMBLINE_STORE"}


def test_the_settings_load(overlay, monkeypatch):
    """Service and monitor start with the very environment that their pods get."""
    from plumbline.monitoring.settings import MonitoringSettings
    from plumbline.service.settings import ServiceSettings

    for pod in pods(overlay):
        if pod.role == "plumbline-train":
            continue
        with monkeypatch.context() as patch:
            for variable, value in environment(overlay, pod):
                patch.setenv(variable, value or "secret")
            settings = ServiceSettings if pod.role == "plumbline-service" else MonitoringSettings
            loaded = settings.load(store="memory://")

            assert loaded.port == pod.container["ports"][0]["containerPort"]


def test_the_grace_period_covers_the_end(overlay):
    """preStop, drain and the last answers fit before the kubelet kills."""
    from plumbline.service.server import _STOP_SECONDS

    for pod in pods(overlay):
        if pod.role == "plumbline-service":
            command = pod.container["lifecycle"]["preStop"]["exec"]["command"]
            drain = dict(environment(overlay, pod))["PLUMBLINE_SERVICE_DRAIN_SECONDS"]
            end = int(command[1]) + float(drain or 0) + _STOP_SECONDS

            assert pod.spec["terminationGracePeriodSeconds"] >= end


def test_probes_are_routes():
    """Each probe asks a path that the program answers, on a port that it names."""
    from plumbline.service.endpoint import ENDPOINTS

    monitor = (ROOT / "monitoring" / "page" / "web.py").read_text()
    routes = {
        "plumbline-service": {endpoint.path for endpoint in ENDPOINTS},
        "plumbline-monitor": set(re.findall(r'Route\("([^"]+)"', monitor)),
    }
    for name, paths in routes.items():
        container = the_pod("base", name).container
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            get = container[probe]["httpGet"]
            assert get["path"] in paths
            assert get["port"] in {port["name"] for port in container["ports"]}
        assert container["livenessProbe"]["httpGet"] != container["readinessProbe"]["httpGet"]


def test_images_are_targets_of_the_dockerfile(overlay):
    """What the manifests run is what the Dockerfile builds."""
    targets = set(re.findall(r"^FROM \S+ AS (\S+)", (ROOT / "Dockerfile").read_text(), re.M))
    images = {pod.container["image"].rsplit("/", 1)[-1].split(":")[0] for pod in pods(overlay)}

    assert {image.removeprefix("plumbline-") for image in images} <= targets


def test_images_share_one_tag(overlay):
    """Three programs of one release, retrains included."""
    tags = {pod.container["image"].rpartition(":")[2] for pod in pods(overlay)}

    assert len(tags) == 1 or overlay == "base"


def test_commands_exist(overlay):
    """Each container runs a command of plumbline with options that it has."""
    import typer.main

    from plumbline.cli.main import app

    commands = typer.main.get_group(app).commands  # type: ignore[attr-defined]
    for pod in pods(overlay):
        name, *arguments = pod.container["args"]
        options = {option for field in commands[name].params for option in field.opts}

        assert {text for text in arguments if text.startswith("--")} <= options


def test_selectors_find_their_pods(overlay):
    """Services, budgets, policies and workloads select labels that the pods carry."""
    labels = [pod.labels for pod in pods(overlay)]
    selectors = [service["spec"]["selector"] for service in of_kind(overlay, "Service").values()]
    for kind, key in (
        ("PodDisruptionBudget", "selector"),
        ("NetworkPolicy", "podSelector"),
        *((kind, "selector") for kind in WORKLOADS if kind != "Job"),
    ):
        found = of_kind(overlay, kind).values()
        selectors += [manifest["spec"][key]["matchLabels"] for manifest in found]

    for selector in selectors:
        assert any(selector.items() <= pod.items() for pod in labels)


def test_scrapes_find_services_by_their_port(overlay):
    """Each ServiceMonitor selects Services by their labels, and names a port that all have."""
    services = of_kind(overlay, "Service").values()
    for name, scrape in of_kind(overlay, "ServiceMonitor").items():
        wanted = scrape["spec"]["selector"]["matchLabels"].items()
        found = [s for s in services if wanted <= s["metadata"]["labels"].items()]

        assert found
        for service in found:
            assert service["metadata"]["labels"][scrape["spec"]["jobLabel"]] == name
            ports = {port["name"] for port in service["spec"]["ports"]}
            assert scrape["spec"]["endpoints"][0]["port"] in ports


@pytest.mark.parametrize("overlay", ["overlays/prod", "overlays/gpu"])
def test_the_autoscaler_asks_for_a_series_that_every_pod_has(overlay):
    """It moves the workload there is, whose number of replicas no manifest names."""
    spec = of_kind(overlay, "HorizontalPodAutoscaler")["plumbline-service"]["spec"]
    target = spec["scaleTargetRef"]
    workload = of_kind(overlay, target["kind"])[target["name"]]
    (metric,) = (metric["pods"]["metric"]["name"] for metric in spec["metrics"])

    assert "replicas" not in workload["spec"]
    assert declared_metrics()[metric].kind == "gauge"


def test_secrets_come_from_elsewhere():
    """No secret is in what goes to production; what is in the examples says that it is none."""
    for overlay in ("base", "overlays/prod", "overlays/gpu"):
        assert of_kind(overlay, "Secret") == {}


def mebibytes(quantity: str) -> int:
    return int(quantity[:-2]) * {"Mi": 1, "Gi": 1024}[quantity[-2:]]


def cores(quantity: str) -> float:
    return int(quantity[:-1]) / 1000 if quantity.endswith("m") else float(quantity)
