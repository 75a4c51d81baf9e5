"""Alerts in a cluster go where they go on a laptop, and each model's to its own monitor."""

from __future__ import annotations

import subprocess

import pytest
import yaml

from tests.support.declared import ROOT, alerts
from tests.support.manifests import of_kind
from tests.support.operator import configured, inhibited, routed
from tests.support.programs import require_program

TWO = "overlays/two-models"

pytestmark = pytest.mark.tools


@pytest.fixture(scope="module")
def local():
    """The configuration for a laptop."""
    return yaml.safe_load((ROOT / "k8s" / "local" / "alertmanager.yaml").read_text())


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A file as the operator would write it for two models in one namespace."""
    path = tmp_path_factory.mktemp("alertmanager") / "alertmanager.yaml"
    configs = of_kind(TWO, "AlertmanagerConfig").values()
    path.write_text(yaml.safe_dump(configured(configs)))
    return path


@pytest.mark.parametrize("overlay", ["overlays/prod", TWO])
def test_the_same_alerts_silence_the_same_ones(overlay, local):
    """Once in a namespace, in the words of the operator."""
    rules = [
        inhibited(rule)
        for config in of_kind(overlay, "AlertmanagerConfig").values()
        for rule in config["spec"].get("inhibitRules", ())
    ]

    assert rules == local["inhibit_rules"]


def test_routes_are_those_of_a_laptop(local):
    """What reaches people and the monitor, in which groups and how often."""
    configs = of_kind("overlays/prod", "AlertmanagerConfig")
    people = routed(configs["plumbline-people"]["spec"]["route"])
    monitor = routed(configs["plumbline-monitor"]["spec"]["route"])
    top = dict(local["route"])
    below = top.pop("routes")
    to_monitor = next(route for route in below if route["receiver"] == "monitor")
    to_people = [route for route in below if route["receiver"] == "people" and len(route) > 1]

    assert people == {**top, **({"routes": to_people} if to_people else {})}
    assert {**monitor, "continue": True} == {
        "group_interval": top["group_interval"],
        **to_monitor,
    }


def test_alertmanager_takes_them(written):
    """Its own program finds nothing wrong."""
    command = [require_program("amtool"), "check-config", str(written)]
    result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("name", ["CollapseEvidence", "InputBroken"])
@pytest.mark.parametrize("model", ["euro", "dollar"])
def test_each_alert_goes_to_its_own_monitor(written, name, model):
    """By Alertmanager's own routing: to people once, and to that monitor if a retrain may help."""
    labels = {"namespace": "plumbline-models", "model": model, **alerts()[name]["labels"]}
    command = [
        *(require_program("amtool"), "config", "routes", "test", "--config.file", str(written)),
        *(f"alertname={name}", *(f"{key}={value}" for key, value in labels.items())),
    ]
    result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    expected = ["plumbline-models/plumbline-people/people"]
    if labels.get("remedy") == "retrain":
        expected.insert(0, f"plumbline-models/plumbline-monitor-{model}/monitor")

    assert sorted(result.stdout.strip().split(",")) == sorted(expected)
