"""The manifests: they build, the schemas hold, and every name in them exists in the code."""

from __future__ import annotations

import json
import re

import jsonschema
import kubernetes_validate
import pytest
import yaml

from tests.support.declared import ROOT, RULES
from tests.support.manifests import OVERLAYS, build, environment, of_kind, pods

KUBERNETES = "1.32"
OPERATOR = "monitoring.coreos.com/v1"
SCHEMAS = json.loads((ROOT / "tests" / "k8s" / "operator_schemas.json").read_text())
OF_CLOUDS = {"AWS_REGION", "AWS_ENDPOINT", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}

pytestmark = pytest.mark.tools


@pytest.fixture(params=OVERLAYS)
def overlay(request):
    """Each folder somebody may apply."""
    return request.param


def test_schemas_hold(overlay):
    """Every object is one the API server or the operator would take; unknown fields are errors."""
    for manifest in build(overlay):
        if manifest["apiVersion"] == OPERATOR:
            jsonschema.validate(manifest, SCHEMAS[manifest["kind"]])
        else:
            kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def test_the_operator_schemas_refuse_a_misspelt_field(overlay):
    """The hand-written schemas are strict too."""
    for manifest in build(overlay):
        if manifest["apiVersion"] == OPERATOR:
            wrong = {**manifest, "spec": {**manifest["spec"], "intervall": "15s"}}

            with pytest.raises(jsonschema.ValidationError, match="intervall"):
                jsonschema.validate(wrong, SCHEMAS[manifest["kind"]])


def test_the_operator_gets_the_same_rules(overlay):
    """The PrometheusRule holds the groups of the rule file; its header says how to renew it."""
    groups = of_kind(overlay, "PrometheusRule")["plumbline"]["spec"]["groups"]

    assert groups == yaml.safe_load(RULES.read_text())["groups"]


def test_names_are_unique(overlay):
    """No object overwrites another one."""
    names = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in build(overlay)]

    assert len(names) == len(set(names))


def test_pods_are_restricted(overlay):
    """The Pod Security Standard *restricted* holds, the root is read-only, memory is bounded."""
    for pod in pods(overlay).values():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 10001
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            resources = container["resources"]
            assert resources["requests"]["memory"] == resources["limits"]["memory"]


def test_scratch_space_is_bounded(overlay):
    """Volumes are bounded scratch space or claims, and fit into what the pod may use."""
    units = {"Mi": 1, "Gi": 1024}
    for pod in pods(overlay).values():
        scratch = [volume["emptyDir"] for volume in pod["volumes"] if "emptyDir" in volume]
        claims = [volume for volume in pod["volumes"] if "persistentVolumeClaim" in volume]
        limit = pod["containers"][0]["resources"]["limits"]["ephemeral-storage"]
        sizes = [volume["sizeLimit"] for volume in scratch]

        assert len(scratch) + len(claims) == len(pod["volumes"])
        assert (
            sum(int(s[:-2]) * units[s[-2:]] for s in sizes) <= int(limit[:-2]) * units[limit[-2:]]
        )


def test_only_the_monitor_holds_a_token(overlay):
    """Nobody else can talk to the cluster, and the monitor only about jobs."""
    tokens = {name: pod["automountServiceAccountToken"] for name, pod in pods(overlay).items()}
    accounts = of_kind(overlay, "ServiceAccount")
    role = of_kind(overlay, "Role")["plumbline-monitor"]

    assert [name for name, mounted in tokens.items() if mounted] == ["plumbline-monitor"]
    assert all(not account["automountServiceAccountToken"] for account in accounts.values())
    assert {pod["serviceAccountName"] for pod in pods(overlay).values()} <= set(accounts)
    assert role["rules"] == [
        {
            "apiGroups": ["batch"],
            "resources": ["jobs"],
            "verbs": ["create", "get", "list", "watch", "delete"],
        }
    ]


def test_no_service_links(overlay):
    """Kubernetes must not inject PLUMBLINE_SERVICE_PORT=tcp://…, which reads as a setting."""
    assert all(pod["enableServiceLinks"] is False for pod in pods(overlay).values())


def test_every_variable_is_a_setting(overlay):
    """A misspelt variable would stop the pod at start-up; here it stops the change."""
    from plumbline.monitoring.settings import PREFIX as MONITORING
    from plumbline.monitoring.settings import MonitoringSettings
    from plumbline.service.settings import PREFIX as SERVICE
    from plumbline.service.settings import ServiceSettings

    known = {SERVICE + field.upper() for field in ServiceSettings.model_fields}
    known |= {MONITORING + field.upper() for field in MonitoringSettings.model_fields}
    for pod in pods(overlay).values():
        for name, _ in environment(overlay, pod):
            assert name in known | OF_CLOUDS | {"PLUMBLINE_STORE"}


def test_the_settings_load(overlay, monkeypatch):
    """Service and monitor start with the very environment that their pods get."""
    from plumbline.monitoring.settings import MonitoringSettings
    from plumbline.service.settings import ServiceSettings

    for name, pod in pods(overlay).items():
        if name == "plumbline-retrain":
            continue
        with monkeypatch.context() as patch:
            for variable, value in environment(overlay, pod):
                patch.setenv(variable, value or "secret")
            settings = ServiceSettings if name == "plumbline-service" else MonitoringSettings
            port = pod["containers"][0]["ports"][0]["containerPort"]

            assert settings.load(store="memory://").port == port


def test_the_grace_period_covers_the_end(overlay):
    """preStop, drain and the last answers fit before the kubelet kills."""
    from plumbline.service.server import _STOP_SECONDS
    from plumbline.service.settings import ServiceSettings

    pod = pods(overlay)["plumbline-service"]
    command = pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
    variables = dict(environment(overlay, pod))
    drain = variables["PLUMBLINE_SERVICE_DRAIN_SECONDS"]

    assert "drain_seconds" in ServiceSettings.model_fields
    assert pod["terminationGracePeriodSeconds"] >= int(command[1]) + float(drain) + _STOP_SECONDS


def test_probes_are_routes():
    """Each probe asks a path that the program answers, on a port that it names."""
    from plumbline.service.endpoint import ENDPOINTS

    monitor = (ROOT / "monitoring" / "page" / "web.py").read_text()
    routes = {
        "plumbline-service": {endpoint.path for endpoint in ENDPOINTS},
        "plumbline-monitor": set(re.findall(r'Route\("([^"]+)"', monitor)),
    }
    for name, paths in routes.items():
        container = pods("base")[name]["containers"][0]
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            get = container[probe]["httpGet"]
            assert get["path"] in paths
            assert get["port"] in {port["name"] for port in container["ports"]}
        assert container["livenessProbe"]["httpGet"] != container["readinessProbe"]["httpGet"]


def test_images_are_targets_of_the_dockerfile():
    """What the manifests run is what the Dockerfile builds."""
    targets = set(re.findall(r"^FROM \S+ AS (\S+)", (ROOT / "Dockerfile").read_text(), re.M))
    images = {pod["containers"][0]["image"] for pod in pods("base").values()}

    assert {image.removeprefix("plumbline-") for image in images} <= targets


def test_commands_exist():
    """The first argument of each container is a command of plumbline."""
    import typer.main

    from plumbline.cli.main import app

    known = set(typer.main.get_group(app).commands)  # type: ignore[attr-defined]
    used = {pod["containers"][0]["args"][0] for pod in pods("base").values()}

    assert used <= known


def test_selectors_find_their_pods(overlay):
    """Services, budgets, policies and scrapes select labels that the pods carry."""
    labels = [
        deployment["spec"]["template"]["metadata"]["labels"]
        for deployment in of_kind(overlay, "Deployment").values()
    ]
    labels += [
        job["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
        for job in of_kind(overlay, "CronJob").values()
    ]
    selectors = [service["spec"]["selector"] for service in of_kind(overlay, "Service").values()]
    for kind, key in (("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector")):
        found = of_kind(overlay, kind).values()
        selectors += [manifest["spec"][key]["matchLabels"] for manifest in found]

    for selector in selectors:
        assert any(selector.items() <= pod.items() for pod in labels)


def test_scrapes_find_their_services(overlay):
    """Each ServiceMonitor selects a Service by its labels, and names one of its ports."""
    services = of_kind(overlay, "Service").values()
    for scrape in of_kind(overlay, "ServiceMonitor").values():
        wanted = scrape["spec"]["selector"]["matchLabels"].items()
        found = [s for s in services if wanted <= s["metadata"]["labels"].items()]

        assert len(found) == 1
        assert scrape["spec"]["endpoints"][0]["port"] in {
            p["name"] for p in found[0]["spec"]["ports"]
        }


def test_nothing_is_open_by_default(overlay):
    """One policy covers every pod, in both directions, and allows nothing."""
    deny = of_kind(overlay, "NetworkPolicy")["plumbline-deny"]["spec"]

    assert deny == {
        "podSelector": {"matchLabels": {"app.kubernetes.io/part-of": "plumbline"}},
        "policyTypes": ["Ingress", "Egress"],
    }


def test_secrets_of_the_base_come_from_elsewhere():
    """No secret is in the base; what is in the dev overlay says that it is none."""
    assert of_kind("base", "Secret") == {}
