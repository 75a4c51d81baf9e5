"""The example for KubeRay: an operator would take it, and it fits the page about it."""

from __future__ import annotations

import json
import re
import tomllib
from copy import deepcopy

import jsonschema
import kubernetes_validate
import pytest
import yaml

from plumbline.cli.command_page import commands
from plumbline.monitoring.settings import MonitoringSettings
from tests.support.declared import ROOT

OBJECTS = list(yaml.safe_load_all((ROOT / "examples" / "ray" / "kuberay.yaml").read_text()))
SCHEMAS = json.loads((ROOT / "tests" / "k8s" / "ray_schemas.json").read_text())
KUBERNETES = "1.32"


def found(kind: str) -> dict:
    return next(each for each in OBJECTS if each["kind"] == kind)


def templates() -> list[dict]:
    """The pods of the cluster, as the API has them."""
    spec = found("RayCluster")["spec"]
    return [each["template"] for each in (spec["headGroupSpec"], *spec["workerGroupSpecs"])]


@pytest.mark.parametrize("kind", ["RayCluster", "RayJob"])
def test_schemas_hold(kind):
    """Those of KubeRay 1.6, as far as the example goes; a misspelt field is refused."""
    wrong = deepcopy(found(kind))
    wrong["spec"]["backofLimit"] = 1
    jsonschema.validate(found(kind), SCHEMAS[kind])

    with pytest.raises(jsonschema.ValidationError, match="backofLimit"):
        jsonschema.validate(wrong, SCHEMAS[kind])


@pytest.mark.tools
def test_pods_are_restricted_ones():
    """The API server takes them, also where Pod Security is *restricted*."""
    for template in templates():
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "ray"}, **template}
        kubernetes_validate.validate(pod, KUBERNETES, strict=True)
        (container,) = pod["spec"]["containers"]

        assert pod["spec"]["securityContext"]["runAsNonRoot"]
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]


def test_the_job_is_a_command_of_ours_on_that_cluster():
    """With options that exist."""
    spec, cluster = found("RayJob")["spec"], found("RayCluster")["metadata"]["name"]
    program, command, *options = spec["entrypoint"].split()
    known = {name for each in dict(commands())[f"plumbline {command}"].params for name in each.opts}

    assert spec["clusterSelector"] == {"ray.io/cluster": cluster}
    assert {each for each in options if each.startswith("--")} <= known
    assert f"python -m venv {program.removesuffix('/bin/plumbline')}" in page()


def test_the_settings_of_the_page_lead_to_that_cluster():
    """The operator calls a cluster's service so, and the command is the image's."""
    (text,) = re.findall(r"^```toml\n(.*?)^```", page(), re.M | re.S)
    settings = MonitoringSettings.load(None, store="memory://ray", **tomllib.loads(text))

    assert settings.launcher == "ray"
    assert settings.ray.address == "http://plumbline-ray-head-svc:8265"
    assert found("RayJob")["spec"]["entrypoint"].split()[0] == settings.ray.command[0]


def page() -> str:
    return (ROOT / "docs" / "ray.md").read_text()
